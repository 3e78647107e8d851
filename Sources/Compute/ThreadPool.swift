import COneDNN
import Glibc

/// A fixed number of threads that run numbered tasks, one stage after the other; some of them may be told to rest.
///
/// Which thread runs which task is left to chance; results must not depend on it. The threads sleep between stages and
/// use one OpenMP thread each, so that `count` threads compute and no more.
public final class ThreadPool {
    public let count: Int
    private let state = State()
    private var threads: [pthread_t] = []

    public init(count: Int) throws {
        self.count = max(1, count)
        for index in 0..<self.count {
            var thread = pthread_t()
            let start = Unmanaged.passRetained(Start(state: state, index: index))
            let status = pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                    lethe_single_thread()
                    start.state.work(thread: start.index)
                    return nil
                }, start.toOpaque())
            guard status == 0 else {
                start.release()
                stop()
                throw ComputeError.thread(status: Int(status))
            }
            threads.append(thread)
        }
    }

    deinit { stop() }

    private func stop() {
        state.finish()
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    /// From the next stage on so many of the threads compute, at least one; the others sleep.
    public func use(_ threads: Int) { state.use(min(max(threads, 1), count)) }

    /// Runs `body(task, thread)` for every task and returns when all are done; `thread` is below `count`.
    /// - Throws: the error of the first task, by number, that threw.
    public func run(tasks: Int, _ body: @escaping (_ task: Int, _ thread: Int) throws -> Void) throws {
        guard tasks > 0 else { return }
        if let error = state.run(tasks: tasks, body: body) { throw error }
    }

    private final class Start {
        let state: State
        let index: Int
        init(state: State, index: Int) {
            self.state = state
            self.index = index
        }
    }

    private final class State {
        private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        /// Threads that are not to compute wait here, so that stages do not wake them.
        private let rest = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        private let done = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        private var body: ((Int, Int) throws -> Void)?
        private var tasks = 0
        private var next = 0
        private var finished = 0
        private var failure: (task: Int, error: any Error)?
        private var stopping = false
        private var used = Int.max

        init() {
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(wake, nil)
            pthread_cond_init(rest, nil)
            pthread_cond_init(done, nil)
        }

        deinit {
            pthread_cond_destroy(done)
            pthread_cond_destroy(rest)
            pthread_cond_destroy(wake)
            pthread_mutex_destroy(mutex)
            done.deallocate()
            rest.deallocate()
            wake.deallocate()
            mutex.deallocate()
        }

        func run(tasks: Int, body: @escaping (Int, Int) throws -> Void) -> (any Error)? {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            self.body = body
            self.tasks = tasks
            next = 0
            finished = 0
            failure = nil
            pthread_cond_broadcast(wake)
            while finished < tasks { pthread_cond_wait(done, mutex) }
            self.body = nil
            self.tasks = 0
            return failure?.error
        }

        func use(_ threads: Int) {
            pthread_mutex_lock(mutex)
            if threads != used {
                used = threads
                pthread_cond_broadcast(wake)
                pthread_cond_broadcast(rest)
            }
            pthread_mutex_unlock(mutex)
        }

        func finish() {
            pthread_mutex_lock(mutex)
            stopping = true
            pthread_cond_broadcast(wake)
            pthread_cond_broadcast(rest)
            pthread_mutex_unlock(mutex)
        }

        func work(thread: Int) {
            pthread_mutex_lock(mutex)
            while true {
                while !stopping && (next >= tasks || thread >= used) {
                    pthread_cond_wait(thread >= used ? rest : wake, mutex)
                }
                if stopping { break }
                let task = next
                next += 1
                guard let body else { break }
                pthread_mutex_unlock(mutex)
                var thrown: (any Error)?
                do { try body(task, thread) } catch { thrown = error }
                pthread_mutex_lock(mutex)
                if let thrown, failure.map({ task < $0.task }) ?? true { failure = (task, thrown) }
                finished += 1
                if finished == tasks { pthread_cond_signal(done) }
            }
            pthread_mutex_unlock(mutex)
        }
    }
}
