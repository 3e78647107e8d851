import Crypto
import Files
import Foundation
import Messages
import Unlearning

/// What is made from a shard's prompts and kept beside them, under the shard's key.
extension ShardStore {
    /// Keeps the adapter that was trained from what the shard holds now; refuses one of another manifest.
    package func save(
        shard: Int, adapter: [UInt8], report: TrainingReport, arithmetic: String
    ) throws(TaskFailure) {
        guard let held = kept[shard], let secrets = held.secrets, held.contents?.digest == report.manifest,
            ShardFolder.isContentName(report.adapter)
        else { throw TaskFailure(code: .storage, message: "shard \(shard) no longer holds what was trained") }
        try deleteAdapter(shard)
        let result = SealedAdapter(description: .init(arithmetic: arithmetic, report: report), tensors: adapter)
        try KeptFile.write(
            try result.sealed(shard: shard, key: secrets.shard), to: folder(shard).adapter(report.adapter))
        kept[shard]?.adapter = report.adapter
        try deleteCheckpoints(shard)
    }

    /// The report with what lies here of the stages that its training did not see because it began behind them.
    package func completed(_ report: TrainingReport, shard: Int) -> TrainingReport {
        guard let said = report.slices?.stages, let held = kept[shard], let contents = held.contents,
            let secrets = held.secrets, contents.digest == report.manifest, let training = trainings[shard],
            let names = training.names(contents)
        else { return report }
        let present = Set(folder(shard).contentNames(ShardFolder.stageSuffix))
        var known: [String: StageReport] = [:]
        let stages = said.map { said in
            guard names.slice(of: said.name) == said.slice, present.contains(said.name) else { return said }
            var found = said.digest == nil ? stageReports[shard]?[said.name] ?? said : said
            if found.digest == nil, let key = stageKey(said.slice, contents, secrets, training),
                let stage = opened(said.name, shard: shard, key: key),
                names.canBegin(at: stage, model: training.model), let read = try? stage.report()
            {
                found = read
            }
            if found.digest != nil { known[said.name] = found }
            return found
        }
        stageReports[shard] = known
        var report = report
        report.slices?.stages = stages
        return report
    }

    /// The kept adapter, if it is the one that this specification and arithmetic give.
    package func training(
        shard: Int, specification: TrainingSpecification, arithmetic: String
    ) -> (report: TrainingReport, adapter: [UInt8])? {
        guard let held = kept[shard], let secrets = held.secrets, let name = held.adapter,
            let found = adapter(name, shard: shard, key: secrets.shard),
            found.description.report.specification == specification, found.description.arithmetic == arithmetic
        else { return nil }
        return (found.description.report, found.tensors)
    }

    /// Keeps a preparation that was made from what the shard holds now, in place of any other.
    package func keep(_ preparation: InfluencePreparation, shard: Int, manifest: String) throws(TaskFailure) {
        guard let held = kept[shard], let secrets = held.secrets, held.contents?.digest == manifest,
            ShardFolder.isContentName(preparation.adapter)
        else { throw TaskFailure(code: .storage, message: "shard \(shard) no longer holds what was prepared") }
        try deletePreparations(shard)
        let path = folder(shard).preparation(of: preparation.adapter)
        let context = SealContext.preparation(shard: shard, adapter: preparation.adapter)
        try KeptFile.write(to: path) { put throws(FileFailure) in
            var writer = SealedPieces.Writer(key: secrets.shard, context: context)
            do {
                try preparation.write { try writer.write($0, to: put) }
            } catch let failure as FileFailure {
                throw failure
            } catch {
                throw FileFailure("cannot seal", path, code: EINVAL)
            }
            try writer.finish(to: put)
        }
        kept[shard]?.preparation = preparation.adapter
    }

    /// nil when there is none for the adapter, or none that opens.
    ///
    /// - `keys`: those that came now, if none came before. What was sealed before a forgetting opens with what is in memory.
    package func preparation(shard: Int, adapter: String, keys: ShardKeys) -> InfluencePreparation? {
        guard let held = kept[shard], held.preparation == adapter,
            var reader = preparation(
                of: adapter, shard: shard, key: held.secrets?.shard ?? SymmetricKey(raw: keys.shard))
        else { return nil }
        return try? InfluencePreparation(count: reader.count) { try reader.read(into: $0) }
    }

    func adapter(_ name: String, shard: Int, key: SymmetricKey) -> SealedAdapter? {
        SealedAdapter(
            sealed: AtomicFile.contents(folder(shard).adapter(name)), shard: shard, name: name, key: key)
    }

    func preparation(of adapter: String, shard: Int, key: SymmetricKey) -> SealedPieces.Reader? {
        let file = URL(fileURLWithPath: folder(shard).preparation(of: adapter))
        guard let sealed = try? Data(contentsOf: file, options: .mappedIfSafe) else { return nil }
        return try? SealedPieces.Reader(
            sealed, key: key, context: SealContext.preparation(shard: shard, adapter: adapter))
    }

    func deleteResults(_ shard: Int) throws(TaskFailure) {
        try deleteAdapter(shard)
        try deletePreparations(shard)
    }

    private func deleteAdapter(_ shard: Int) throws(TaskFailure) {
        try folder(shard).remove(ShardFolder.adapterSuffix)
        kept[shard]?.adapter = nil
    }

    private func deletePreparations(_ shard: Int) throws(TaskFailure) {
        try folder(shard).remove(ShardFolder.preparationSuffix)
        kept[shard]?.preparation = nil
    }
}
