import ArgumentParser
import Client
import Files
import Foundation
import LanguageModels
import Unlearning
import ZeroMQ

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check this machine; every failure comes with its fix.")

    @Option(help: "Also check that this base model loads, and say what training with it takes here.")
    var model: String?

    @Option(help: "Training workers on this machine, \(OptionBounds.threads.inWords), for what they take together.")
    var workers = 1

    @Option(help: "Prompts of a shard, for how long a training takes.")
    var prompts = 1000

    @Option(
        help: "Also check that a coordinator answers there, at one of several addresses. [env: LETHE_COORDINATOR]")
    var coordinator: [String] = []

    @Option(help: "Also check that data can be kept there.")
    var data: String?

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    private struct Check: Encodable {
        var check: String
        var ok: Bool
        var found: String
        var fix: String?
    }

    private struct Report: Encodable {
        var ok: Bool
        var checks: [Check]
        /// With a model.
        var forecast: WorkerForecast?
    }

    func validate() throws {
        _ = try within(OptionBounds.threads, workers, "--workers")
        guard (1...WorkerForecast.mostPrompts).contains(prompts) else {
            throw ValidationError("--prompts must be from 1 to \(WorkerForecast.mostPrompts)")
        }
    }

    func run() throws {
        try reportingFailures(json: json) {
            var checks = [processor(), memory(), messaging(), arithmetic()]
            var forecast: WorkerForecast?
            if let model {
                let loaded = Result { try ModelLoader.load(path: model) }
                checks.append(load(loaded))
                if case .success(let loaded) = loaded {
                    let made = Result { try WorkerForecast(loaded, workers: workers, prompts: prompts) }
                    checks.append(Self.check(made))
                    forecast = try? made.get()
                }
            }
            if let data { checks.append(directory(data)) }
            if !coordinator.isEmpty || ProcessInfo.processInfo.environment.variable("LETHE_COORDINATOR") != nil {
                checks.append(reach())
            }
            let report = Report(ok: checks.allSatisfy(\.ok), checks: checks, forecast: forecast)
            try Output(json: json).emit(report) {
                checks.map { check in
                    "\(check.ok ? "ok  " : "FAIL") \(check.check): \(check.found)"
                        + (check.fix.map { "\n     fix: \($0)" } ?? "")
                }.joined(separator: "\n")
            }
            if !report.ok { throw ExitCode(ExitStatus.failed.rawValue) }
        }
    }

    private func processor() -> Check {
        let (cores, all) = (AvailableCores.current, ProcessInfo.processInfo.activeProcessorCount)
        let quota = cores.quota.map { " (of \(all): \($0) allows no more)" } ?? ""
        let speed =
            TrainingSpecification.Precision.preferred == .bf16 ? "bf16 products" : "no bf16 products, f32 will be used"
        return Check(check: "processor", ok: true, found: "\(cores.count) cores\(quota), \(speed)")
    }

    private func memory() -> Check {
        let memory = AvailableMemory.current
        let gibibytes = Double(memory.bytes) / Double(1 << 30)
        let enough = gibibytes >= 2
        return Check(
            check: "memory", ok: enough,
            found: "\(decimal(gibibytes, 1)) GiB" + (memory.bound.map { ", by \($0)" } ?? ""),
            fix: enough ? nil : "the default model needs about 1 GiB a worker; use a machine with at least 2 GiB")
    }

    private func messaging() -> Check {
        do {
            let socket = try Socket(Context(), .router)
            _ = try socket.bind("tcp://127.0.0.1:*")
            _ = try CurveKeyPair.generate()
            return Check(check: "messaging", ok: true, found: "libzmq listens on loopback, CURVE is there")
        } catch {
            return Check(
                check: "messaging", ok: false, found: "\(error)",
                fix: "install a libzmq with CURVE (Debian, Ubuntu: libzmq5) and allow listening on loopback")
        }
    }

    private func arithmetic() -> Check {
        do {
            let precision = TrainingSpecification.Precision.preferred
            let print = try ArithmeticFingerprint.compute(precision: precision)
            return Check(
                check: "arithmetic", ok: true,
                found:
                    "\(precision.rawValue) fingerprint \(print.prefix(16)); machines of one cluster must show the same")
        } catch {
            return Check(
                check: "arithmetic", ok: false, found: "\(error)",
                fix: "check that oneDNN is installed (Debian: libdnnl2, Ubuntu: libdnnl3.6)")
        }
    }

    private static func check(_ forecast: Result<WorkerForecast, any Error>) -> Check {
        do {
            let forecast = try forecast.get()
            return Check(
                check: "training", ok: forecast.fits, found: forecast.text,
                fix: forecast.fits
                    ? nil : "run fewer workers here, or choose a smaller base model or a machine with more memory")
        } catch {
            return Check(
                check: "training", ok: false, found: CommandFailure(error).message,
                fix: "choose a base model of another shape, or check oneDNN")
        }
    }

    private func load(_ loaded: Result<LoadedModel, any Error>) -> Check {
        do {
            let model = try loaded.get()
            try model.checkpoint.requireFiniteWeights()
            let shape = model.checkpoint.configuration
            return Check(
                check: "base model", ok: true,
                found:
                    "\(shape.family.rawValue), \(shape.layers) layers, digest \(model.checkpoint.digest.prefix(16)), all weights finite"
                    + model.warnings.map { "; \($0)" }.joined()
            )
        } catch {
            return Check(
                check: "base model", ok: false, found: CommandFailure(error).message,
                fix: "name a GGUF file or a Hugging Face directory with config.json, tokenizer.json and safetensors")
        }
    }

    private func directory(_ path: String) -> Check {
        let probe = URL(fileURLWithPath: path).appendingPathComponent(".lethe-doctor")
        do {
            guard PrivateFiles.makeDirectory(path) else { throw FileFailure("cannot make", path) }
            try Data("x".utf8).write(to: probe)
            try FileManager.default.removeItem(at: probe)
            let free = try FileManager.default.attributesOfFileSystem(forPath: path)[.systemFreeSize] as? Int ?? 0
            let enough = free > 1 << 30
            return Check(
                check: "data folder", ok: enough, found: "\(path) is writable, \(free >> 20) MiB free",
                fix: enough ? nil : "free at least 1 GiB on that disk")
        } catch {
            return Check(
                check: "data folder", ok: false, found: "\(path) is not writable: \(FileFailure.reason(of: error))",
                fix: "choose another folder or change its owner")
        }
    }

    private func reach() -> Check {
        do {
            let endpoints = try coordinatorEndpoints(coordinator)
            let client = try CoordinatorClient(
                endpoints: endpoints, curve: curveKeys(keys: nil, coordinatorKey: nil))
            try client.call(.status, patience: .seconds(5 * endpoints.count))
            return Check(check: "coordinator", ok: true, found: "\(client.endpoint) answers")
        } catch {
            return Check(
                check: "coordinator", ok: false, found: CommandFailure(error).message,
                fix: "start `lethe coordinator`, or correct --coordinator, LETHE_COORDINATOR and the keys")
        }
    }
}
