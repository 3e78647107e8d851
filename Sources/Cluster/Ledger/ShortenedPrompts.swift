/// How many prompts have shortened titles, and the first of their ids, sorted.
struct ShortenedPrompts {
    var count: Int
    var first: [String]
}
