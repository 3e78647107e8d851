/// Keys of a shard as bytes, all numbers little-endian: a shard may have a million prompts, and as many people.
///
///     UInt32      number of people
///     UInt32      number of owners
///     32 bytes    the shard's key
///     40 bytes    a person's name (UInt64) and key, for each
///     UInt32      the owner of each entry of the manifest: an index into the people
extension WirePayload {
    /// - Throws: `invalidContent` for what the other side would refuse.
    static func bytes(_ keys: ShardKeys, kind: String) throws(WireError) -> [UInt8] {
        try check(keys, kind: kind)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            WireLimits.shardKeyBytes + keys.people.count * WireLimits.personKeyBytes
                + keys.owners.count * WireLimits.ownerBytes)
        func put(_ number: some FixedWidthInteger) {
            withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
        }
        put(UInt32(truncatingIfNeeded: keys.people.count))
        put(UInt32(truncatingIfNeeded: keys.owners.count))
        bytes += keys.shard
        for person in keys.people {
            put(person.name)
            bytes += person.key
        }
        for owner in keys.owners { put(UInt32(truncatingIfNeeded: owner)) }
        return bytes
    }

    /// - Parameter entries: of the manifest that goes along; each has an owner.
    static func shardKeys(_ bytes: [UInt8], entries: Int, kind: String) throws(WireError) -> ShardKeys {
        func malformed(_ reason: String) -> WireError { .invalidContent(kind: kind, reason: reason) }
        var position = 0
        func take<Number: FixedWidthInteger>(_ type: Number.Type) -> Number {
            defer { position += MemoryLayout<Number>.size }
            let number = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: Number.self) }
            return Number(littleEndian: number)
        }
        func takeKey() -> [UInt8] {
            defer { position += ShardKeys.keyBytes }
            return Array(bytes[position..<(position + ShardKeys.keyBytes)])
        }
        guard bytes.count >= WireLimits.shardKeyBytes else { throw malformed("no keys") }
        let (people, owners) = (Int(take(UInt32.self)), Int(take(UInt32.self)))
        try checkCount(people, kind: kind)
        try checkCount(owners, kind: kind)
        guard owners == entries else { throw malformed("\(owners) owners of \(entries) prompts") }
        let expected =
            WireLimits.shardKeyBytes + people * WireLimits.personKeyBytes + owners * WireLimits.ownerBytes
        guard bytes.count == expected else { throw malformed("keys of \(bytes.count) bytes instead of \(expected)") }
        var keys = ShardKeys(shard: takeKey(), people: [], owners: [])
        keys.people.reserveCapacity(people)
        for _ in 0..<people { keys.people.append(PersonKey(name: take(UInt64.self), key: takeKey())) }
        keys.owners.reserveCapacity(owners)
        for _ in 0..<owners { keys.owners.append(Int(take(UInt32.self))) }
        try check(keys, kind: kind)
        return keys
    }

    private static func check(_ keys: ShardKeys, kind: String) throws(WireError) {
        try checkCount(keys.people.count, kind: kind)
        try checkCount(keys.owners.count, kind: kind)
        guard keys.shard.count == ShardKeys.keyBytes,
            keys.people.allSatisfy({ $0.key.count == ShardKeys.keyBytes })
        else { throw .invalidContent(kind: kind, reason: "a key that is not of \(ShardKeys.keyBytes) bytes") }
        guard Set(keys.people.map(\.name)).count == keys.people.count else {
            throw .invalidContent(kind: kind, reason: "two keys of one name")
        }
        guard keys.owners.isEmpty || keys.people.count <= keys.owners.count else {
            throw .invalidContent(kind: kind, reason: "more people than prompts")
        }
        guard keys.owners.allSatisfy(keys.people.indices.contains) else {
            throw .invalidContent(kind: kind, reason: "a prompt of nobody")
        }
    }
}
