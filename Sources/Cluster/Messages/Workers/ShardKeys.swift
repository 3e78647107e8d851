/// What a worker seals a shard with on its disk. It keeps them in memory only and gets them again with each assignment, for
/// what is retained: a disk that was away when the coordinator destroyed a key holds noise.
///
/// No text and no dump of them shows a byte of a key.
public struct ShardKeys: Hashable, Sendable {
    /// Bytes of a key.
    public static let keyBytes = 32

    /// Seals adapter and preparations of the shard's present data; another one after each forgetting that touches the shard.
    public var shard: [UInt8]
    /// One for each person with prompts in the shard, with distinct names.
    public var people: [PersonKey]
    /// For each entry of the manifest, in its order, whose it is: an index into `people`. Empty where no manifest goes along.
    public var owners: [Int]

    public init(shard: [UInt8], people: [PersonKey], owners: [Int]) {
        self.shard = shard
        self.people = people
        self.owners = owners
    }
}

/// What seals one person's prompts in one shard.
public struct PersonKey: Hashable, Sendable {
    /// Random, and another one with every new key: says nothing about the person, and which box it opens.
    public var name: UInt64
    public var key: [UInt8]

    public init(name: UInt64, key: [UInt8]) {
        self.name = name
        self.key = key
    }
}

extension ShardKeys: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "keys of a shard and \(people.count) people" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension PersonKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "a person's key" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
