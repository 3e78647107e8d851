/// A method that corrects an adapter instead of training it anew.
public enum ApproximateMethod: String, Codable, CaseIterable, Sendable {
    /// arXiv 2403.03536
    case e2urec
    /// arXiv 2307.02147
    case ifru
}
