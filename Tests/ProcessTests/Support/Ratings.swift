import Foundation

/// Synthetic ratings as CSV: a pure function of user and position, so that leaving a user out changes nothing else.
enum Ratings {
    /// - Parameters:
    ///   - users: names; each has `interactions` ratings.
    ///   - leavingOut: these users have no line.
    static func csv(users: Int, interactions: Int = 15, leavingOut: Set<String> = []) -> String {
        var lines = ["user,item,rating,timestamp,item_title"]
        for user in 0..<users where !leavingOut.contains(name(user)) {
            for position in 0..<interactions {
                let item = (user * 7 + position * position * 3 + position) % 40
                let rating = (user * 5 + item * 3 + position) % 5 + 1
                lines.append("\(name(user)),i\(item),\(rating),\(1000 + position * 10 + user),Film \(item)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    static func name(_ user: Int) -> String { "person-\(user)-\(user * 7919 % 1009)" }
}
