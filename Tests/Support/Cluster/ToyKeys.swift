import Crypto
import Messages
import Recommendation

extension Toy {
    /// Three people own all prompts there are.
    package static func person(of id: String) -> Int { id.utf8.reduce(0) { $0 + Int($1) } % 3 }

    /// Keys of the people of a manifest, and of the shard, the same at every call.
    ///
    /// - `shard`: another number is another key of the shard.
    /// - `people`: by person; another number is another name and key.
    package static func keys(
        _ manifest: ShardManifest, shard: Int = 0, people: [Int: Int] = [:]
    ) -> ShardKeys {
        let owners = manifest.entries.map { person(of: $0.id) }
        let present = (0..<3).filter(owners.contains)
        return ShardKeys(
            shard: bytes("shard \(shard)"),
            people: present.map { person in
                let text = "person \(person), key \(people[person] ?? 0)"
                return PersonKey(
                    name: bytes("name of \(text)").prefix(8).reduce(0) { $0 << 8 | UInt64($1) }, key: bytes(text))
            }, owners: owners.compactMap(present.firstIndex))
    }

    package static func keys(
        _ prompts: [TrainingPrompt], shard: Int = 0, people: [Int: Int] = [:]
    ) -> ShardKeys {
        keys(manifest(prompts), shard: shard, people: people)
    }

    private static func bytes(_ text: String) -> [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }
}

extension ShardKeys {
    /// As they go along with a preparation.
    package var withoutOwners: ShardKeys { ShardKeys(shard: shard, people: people, owners: []) }
}
