/// What stored texts begin with as far as zlib is concerned (`PackedText`): words that most of them are made of, the most frequent
/// last. A text that was packed with one expands with the same only, so that none is ever changed: what a later release
/// writes otherwise gets a dictionary with another number.
///
/// Each also lies in the table `packing_dictionaries`, for whoever reads the database without Lethe.
struct PackingDictionary {
    /// The byte that packed texts begin with.
    let number: UInt8
    let text: String
    let bytes: [UInt8]

    private init(number: UInt8, text: String) {
        self.number = number
        self.text = text
        bytes = [UInt8](text.utf8)
    }

    /// nil: no release that this one knows has written it.
    init?(number: UInt8) {
        guard number == Self.first.number else { return nil }
        self = .first
    }

    static var current: PackingDictionary { first }

    static let first = PackingDictionary(number: 1, text: firstText)

    private static let firstText = #"""
        {"code":"forbidden","outcome":"refused","adapter":"","asked":"export","count":1,\#
        "since":"2026-01-01T00:00:00.000Z"}\#
        {"itemsChanged":0,"promptsAdded":0,"promptsRebuilt":0,"promptsRemoved":0,"rowsAlreadyThere":0,\#
        "rowsCorrected":0,"rowsNew":0,"rowsRefused":0,"shardsChanged":[0,1,2,3]}\#
        {"adapter":"","prompts":100,"shards":[0,1,2,3]}\#
        {"finding":"the log ends at entry , which is not the one that was signed"}\#
        approximate: adapters were corrected, not trained anew: shard  by ifru (corrections since its last \#
        training: ); what was measured of it stands with each shard, more is not claimed, and it cannot be verified \#
        by replay\#
        of the other shards: ; shard  was retrained instead of corrected: \#
        exact relative to the recorded semantic partition, which was computed when the forgotten data was still \#
        there and to the splits recorded at import): given these, \#
        "approximation":{"corrections":1,"measured":{"distance_after":0.0,"distance_before":0.0,\#
        "forgotten_margins":,"method":"e2urec"},"bridge":"ifru","copies_recorded_since":"",\#
        "fallback":"data-changed","fallback":"forget-set-too-large","fallback":"retraining",\#
        "outcome":"superseded","outcome":"failed","outcome":"no-other-worker",\#
        {"key_destroyed":true,"manifest":"","name":"","shard":0,"worker":"","state":"open",\#
        "since":"2026-01-01T00:00:00.000Z"}\#
        {"audit_head":"","certificate":"","cluster":"","copies":[{"manifest":"","name":"","shard":0,"since":"2026-",\#
        "state":"reported","worker":""}],"request":"","time":"2026-","version":1}\#
        {"alg":"EdDSA","kid":"","typ":"lethe-supplement+jwt"}\#
        {"gone":[{"manifest":"","shard":0}],"reason":"cleared","reason":"reported","returned":[],"worker":""}\#
        {"adapter":"","manifest":"","prompts":0,"shard":0}\#
        {"certificate":"","request":""}\#
        {"asked":"train","by":"local","outcome":"granted","request":""}\#
        {"asked":"forget","by":"local","outcome":"granted","request":""}\#
        {"outcome":{"alreadyForgotten":0,"correcting":[],"counts":{"interactions":1,"promptsAdded":{"test":0,\#
        "train":0,"validation":0},"promptsDeleted":{"test":1,"train":1,"validation":1},"promptsRebuilt":{"test":0,\#
        "train":0,"validation":0},"users":1},"droppedAdapters":[],"method":"apa",\#
        "received":"2026-01-01T00:00:00.000Z","request":"","shards":[0],"waitingFor":[0]},"people":[""],\#
        "request":""}\#
        {"alg":"EdDSA","kid":"","typ":"lethe-certificate+jwt"}\#
        {"arithmetic":"","audit_head":"","audit_head_at_finish":"","cluster":"","counts":{"interactions":0,\#
        "prompts_added":{"test":0,"train":0,"validation":0},"prompts_deleted":{"test":1,"train":1,"validation":1},\#
        "prompts_rebuilt":{"test":0,"train":0,"validation":0},"users":1},"double_checks":[{"adapter":"",\#
        "outcome":"same-bytes","shard":0,"workers":["\#
        "]}],"exactness":"exact: every new adapter is byte for byte what a fresh training on the retained data \#
        gives; nothing it depends on was computed from the forgotten data","finished":"2026-01-01T00:00:00.000Z",\#
        "method":"apa","received":"2026-01-01T00:00:00.000Z","request":"","shards":[{"index":0,"new_adapter":"",\#
        "new_manifest":"","old_adapter":"","old_manifest":"","training":{"adapter":"","compute_seconds":0.,\#
        "epoch_losses":[0.6,0.6],"manifest":"","prompts":1,"seconds":0.,"specification":{"base":"","batch":4,\#
        "epochs":2,"learning_rate":0.001,"lora":{"alpha":16,"rank":8,"targets":["q_proj","v_proj"]},\#
        "precision":"bf16","precision":"f32","seed":0,"warmup_steps":0,"weight_decay":0},"steps":0,"tokens":0}}],\#
        "specification":"","unconfirmed":[],"version":4}
        """#
}
