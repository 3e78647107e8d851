extension [String: String] {
    /// Of an environment: what the variable says. One that is set to nothing says nothing, as in files of services and of containers
    /// in which every variable is named.
    package func variable(_ name: String) -> String? {
        guard let value = self[name], !value.isEmpty else { return nil }
        return value
    }
}
