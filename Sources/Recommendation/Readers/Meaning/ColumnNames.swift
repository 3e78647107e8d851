/// The names that columns and keys are known by, normalised.
enum ColumnNames {
    static let user = [
        "userid", "user", "uid", "reviewerid", "customerid", "customer", "memberid", "visitorid", "clientid",
        "accountid", "profileid", "personid",
    ]
    static let item = [
        "itemid", "item", "iid", "movieid", "isbn", "bookid", "asin", "parentasin", "productid", "product", "sku",
        "articleid", "filmid", "songid", "trackid", "gameid", "showid", "animeid", "recipeid", "courseid", "businessid",
    ]
    static let rating = ["rating", "bookrating", "score", "stars", "overall", "ratingvalue", "userrating", "grade"]
    static let timestamp = [
        "timestamp", "time", "unixreviewtime", "unixtime", "datetime", "date", "createdat", "created", "ratedat",
        "ratingtime", "ratingdate", "reviewdate", "reviewedat", "updatedat", "watchedat", "readat",
    ]

    /// What happened, where ratings come from events.
    static let event = ["event", "eventtype", "eventname", "action", "behavior", "behaviour", "behaviortype"]

    /// An item's title by the item's own name: also known beside a person.
    static let itemsOwnTitle = [
        "itemtitle", "movietitle", "booktitle", "producttitle", "filmtitle", "gametitle", "songtitle", "tracktitle",
        "showtitle", "animetitle", "articletitle", "itemname", "moviename", "bookname", "productname",
    ]
    static let itemsOwnYear = ["releaseyear", "movieyear", "bookyear", "itemyear"]
    static let itemsOwnAuthor = ["bookauthor", "itemauthor"]

    /// An item's title, year and author in a table of items; beside a person they may be the person's.
    static let title = ["title", "name"]
    static let year = ["year"]
    static let author = ["author"]

    /// Whether the column tells of a person, so that the table is none of items.
    static func isPersonal(_ name: String) -> Bool {
        user.contains(name)
            || ["user", "reviewer", "customer", "member", "person", "visitor", "client", "email"].contains {
                name.contains($0)
            }
    }

    static func normalised(_ name: String) -> String {
        let bare = name.prefix { $0 != ":" }
        return String(bare.lowercased().filter { $0.isLetter || $0.isNumber })
    }
}
