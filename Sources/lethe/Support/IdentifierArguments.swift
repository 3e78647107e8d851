/// Identifiers are data: they may begin with a dash, which the parser takes for an option.
package enum IdentifierArguments {
    /// Options whose values are identifiers of people, items or requests.
    private static let options: Set<String> = [
        "--user", "--item", "--interaction", "--request", "--request-id", "--id", "--exclude", "--history",
    ]
    /// Commands whose options of these names take several values in a row.
    private static let commandsWithLists: Set<String> = ["query"]

    /// Joins such a value to its option: `--user -Ab1` becomes `--user=-Ab1`, and in a list `--item 3 -7 9` becomes
    /// `--item 3 --item=-7 --item 9`.
    ///
    /// A value with two dashes is an option, and so is `-h`: who means an identifier writes it as `--user=--x`.
    package static func joined(_ arguments: [String]) -> [String] {
        let takesLists = arguments.first.map(commandsWithLists.contains) ?? false
        var joined: [String] = []
        /// The option whose values come.
        var open: String?
        /// Whether it stands bare at the end of what is joined, and takes the next value.
        var isBare = false
        for (position, argument) in arguments.enumerated() {
            if argument == "--" { return joined + arguments[position...] }
            guard let option = open, !argument.hasPrefix("--"), argument != "-h" else {
                open = options.contains(argument) ? argument : nil
                isBare = open != nil
                joined.append(argument)
                continue
            }
            if argument.hasPrefix("-"), argument != "-" {
                if isBare { joined.removeLast() }
                joined.append("\(option)=\(argument)")
            } else {
                if !isBare { joined.append(option) }
                joined.append(argument)
            }
            isBare = false
            if !takesLists { open = nil }
        }
        return joined
    }
}
