/// The texts that the rows of one piece refer to by number: each once, however many rows name it.
struct StagedTextNumbers {
    private(set) var texts: [String] = []
    private var numbers: [String: Int] = [:]

    mutating func number(of text: String) -> Int {
        if let number = numbers[text] {
            // Equal texts may differ in their bytes, which have to come back.
            if text.utf8.elementsEqual(texts[number].utf8) { return number }
        } else {
            numbers[text] = texts.count
        }
        texts.append(text)
        return texts.count - 1
    }
}

/// Reads them; makes those that are asked for.
struct StagedTexts {
    private let reader: StagedBytesReader
    private var places: [Range<Int>] = []
    private var made: [String?]

    /// - Parameter place: a block of `reader`'s.
    init(_ reader: StagedBytesReader, at place: Range<Int>) throws(StagedFault) {
        var reader = reader
        reader.move(to: place)
        while reader.position < place.upperBound { places.append(try reader.block()) }
        guard reader.position == place.upperBound else { throw .goesOn }
        made = Array(repeating: nil, count: places.count)
        self.reader = reader
    }

    mutating func text(_ number: UInt64) throws(StagedFault) -> String {
        guard let number = Int(exactly: number), number < places.count else { throw .noSuchText }
        if let text = made[number] { return text }
        let text = try reader.text(at: places[number])
        made[number] = text
        return text
    }
}

/// Pieces that are nothing but texts, one after another.
enum StagedTextPiece {
    /// Items or names of one piece, at most.
    static let mostTexts = 1024

    static func bytes(_ texts: some Sequence<String>) -> [UInt8] {
        var writer = StagedBytesWriter()
        for text in texts { writer.put(text: text) }
        return writer.bytes
    }

    static func texts(_ bytes: [UInt8]) throws(StagedFault) -> [String] {
        var reader = StagedBytesReader(bytes)
        var texts: [String] = []
        while reader.left > 0 { texts.append(try reader.text()) }
        return texts
    }
}
