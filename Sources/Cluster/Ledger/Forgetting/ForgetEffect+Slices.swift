import Messages
import Recommendation
import Unlearning

/// From which slice on trainings of the shards hold something that is forgotten.
extension ForgetEffect {
    mutating func count(slicesOf forgetting: PersonForgetting, _ configuration: ClusterConfiguration) {
        guard configuration.training.slices > 1 else { return }
        let dealing = SliceDealing(configuration.training)
        let change = forgetting.change
        // An adapter saw it in prompts that are gone: of which slice is not known any more.
        for shard in forgetting.seenBy { note(1, of: shard) }
        if let leaving = change.leaving {
            let isWhole = configuration.training.dealing(of: configuration.partition) != nil
            let person = change.before?.person
            let slice = isWhole ? person.map { $0.slice ?? dealing.slice(ofUser: $0.name) } : nil
            for part in leaving.parts { if let shard = part.place.shard { note(slice ?? 1, of: shard) } }
        }
        let difference = change.difference
        let prompts = difference.deleted + difference.added + difference.rebuilt.flatMap { [$0.old, $0.new] }
        for prompt in prompts {
            if let shard = prompt.trainingShard { note((try? dealing.slice(of: prompt.sample)) ?? 1, of: shard) }
        }
    }

    /// A shard that is not touched stays so.
    private mutating func note(_ slice: Int, of shard: Int) {
        guard let known = shards[shard] else { return }
        shards[shard]?.slice = min(known.slice ?? slice, slice)
    }
}
