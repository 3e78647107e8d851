import Messages

/// What the query engine's thread is given to do.
package enum EngineWork: Sendable {
    case begin(QuestionQueue.ComputationID, Asker, QueryJob)
    case drop(QuestionQueue.ComputationID)
    /// An adapter that jobs will name: its content name, and its file's bytes.
    case hold(adapter: String, [UInt8])
    /// What must not stay in memory.
    case forget(ForgottenInputs)
    /// Nothing must.
    case letGo
}

extension QueryEngine {
    /// Takes in what came meanwhile and computes one pass.
    ///
    /// - Returns: whether there is more to compute.
    package func perform(_ works: [EngineWork], telling tell: (News) -> Void) -> Bool {
        for work in works {
            switch work {
            case .begin(let number, let asker, let job):
                do throws(ClientError) {
                    try begin(number, of: asker, job)
                } catch {
                    tell(.answered(number, .failure(error)))
                }
            case .drop(let number): drop(number)
            case .hold(let adapter, let bytes): hold(adapter, bytes)
            case .forget(let inputs): forget(inputs)
            case .letGo: letGo()
            }
        }
        let news = pass()
        let tokens = takeTokens()
        // Before whoever asked is answered: who looks then finds them counted.
        if tokens > 0 { tell(.read(tokens: tokens)) }
        for news in news { tell(news) }
        return !isIdle
    }
}
