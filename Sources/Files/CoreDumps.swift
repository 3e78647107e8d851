import Foundation

/// Images of a process's memory that the system writes when it crashes. Records, prompts, adapters and keys are in it in clear.
///
/// The limit stops the file; where the kernel hands the image to a program instead (systemd-coredump, apport), which the limit
/// does not, the filter leaves all memory out of it. What is in a thread's registers at that moment stays in. (A process
/// that is no longer dumpable, PR_SET_DUMPABLE, would leave nothing, but whoever runs it could not look at its open files and
/// memory use below /proc any more without being root.)
package enum CoreDumps {
    /// An environment variable: `allow` leaves everything as it is, for whoever looks for a fault on a machine of their own.
    package static let variable = "LETHE_CORE_DUMPS"

    /// For this process and those that it starts.
    package static func refuse(in environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard environment[variable] != "allow" else { return }
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        let filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC)
        guard filter >= 0 else { return }
        _ = write(filter, "0", 1)
        close(filter)
    }
}
