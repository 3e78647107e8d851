import Unlearning

extension ComparisonDescription {
    /// Goes with every report: numbers without their meaning are none.
    ///
    /// - Parameter slices: in how many the cluster trains.
    static func all(slices: Int) -> [ComparisonDescription] { beforeSliced + [sliced(slices: slices), sequence] }

    private static func sliced(slices: Int) -> ComparisonDescription {
        let from =
            "after a request from the last stage on that what is forgotten is not in, so that effort counts what is "
            + "trained from there"
        return ComparisonDescription(
            name: "sliced",
            text: slices > 1
                ? "as Retrain and APA(ND), which are trained in this cluster's \(slices) slices as well, but \(from); the "
                    + "adapters and all other numbers are the same, bit for bit"
                : "trained slice by slice, in \(ComparisonSettings.usualSlices) slices, where this cluster trains in one; "
                    + "\(from); exact, and another training than Retrain's: its distance to Retrain is that of its "
                    + "construction")
    }

    private static let sequence = ComparisonDescription(
        name: "sequence",
        text: "single interactions, one request after another; distance to a training from the beginning on "
            + "what is left, over everything forgotten or rebuilt so far; IFRU's preparation is updated, "
            + "E2URec goes on from its own result")

    private static let beforeSliced: [ComparisonDescription] = [
        ComparisonDescription(
            name: "forget set",
            text: "training prompts that the request deletes, and the old versions of those that it rebuilds; "
                + "all methods get the same; deleted and rebuilt give the distance on each of the two apart: of a rebuilt "
                + "prompt the answer is still known, with another history"),
        ComparisonDescription(
            name: "spillover",
            text: "IFRU against IFRU without spillover on rebuilt prompts alone; called visible where it is nearer to "
                + "Retrain by more than two standard errors of the difference, on at least "
                + "\(SpilloverFinding.fewestPrompts) rebuilt prompts of more than one seed"),
        ComparisonDescription(
            name: "refused",
            text: "a correction by IFRU that a cluster would not publish, since a prediction does not hold or retained "
                + "answers move too far: a cluster trains the shard anew then, and has Retrain's answers at Retrain's cost "
                + "on top of the request's; the numbers of the row, also in differences, spillover and a sequence, are of "
                + "the correction as computed; where a cluster comes to no correction by IFRU or E2URec (a preparation too "
                + "large for a worker) the row has the reason and no numbers"),
        ComparisonDescription(
            name: "IFRU",
            text:
                "prepared as a worker prepares a shard, with the gradient of every training prompt, of which a case says "
                + "how many (influence references); here all data is one shard; prepared anew after as many corrections as "
                + "in a cluster"),
        ComparisonDescription(
            name: "distance to Retrain",
            text: "mean over the forget set of the Jensen-Shannon divergence (nats, true one), of half the sum "
                + "of both Kullback-Leibler divergences (E2URec's \"JSD\"), and of the Euclidean distance "
                + "between the two models' distributions over Yes and No; Retrain is one adapter trained from "
                + "the beginning on what is retained; its own distance from a training with another seed (initial "
                + "factors and order) is what chance alone makes, and no smaller one tells methods apart"),
        ComparisonDescription(
            name: "nearer to Retrain",
            text: "a method is called nearer than another where its mean Jensen-Shannon divergence from Retrain is "
                + "smaller by more than two standard errors of the difference, taken prompt by prompt over the same forget sets; the "
                + "standard error is the larger one of that of the seeds' means and that over prompts of the seeds there "
                + "are; of all other pairs nothing is said; from few seeds two standard errors are less than 95 in 100 "
                + "(from three, about 82), and of many pairs some are beyond them by chance"),
        ComparisonDescription(
            name: "membership inference",
            text: "loss-threshold attack (arXiv 1709.01604): AUC of telling deleted training prompts from test "
                + "prompts by their loss; compare with Retrain's value rather than with 0.5"),
        ComparisonDescription(
            name: "utility",
            text: "AUC, accuracy and log-loss on the test prompts as they are after the request; spillover: "
                + "those among them whose history the request rebuilt; core, edge: users in the third with the "
                + "most and the fewest interactions; random: a third by a keyed hash"),
        ComparisonDescription(
            name: "effort",
            text: "seconds on one worker, shards one after another; training: of what answers before any "
                + "request; preparation: what else is computed beforehand; request: from the request to the "
                + "model that answers, for APA with the margins of validation prompts and the choice of the "
                + "attention; scored tokens went forward, trained ones forward and backward"),
        ComparisonDescription(
            name: "SISA, RecEraser",
            text: "shards by a hash of the prompt, and balanced shards of similar users; the answer is the mean "
                + "of the shards' margins; as many shards as the cluster has"),
        ComparisonDescription(
            name: "Gradient ascent",
            text: "a few AdamW steps up the loss of the forget set, ended by a cap on the mean divergence "
                + "of the answers to retained prompts"),
        ComparisonDescription(
            name: "NegKL, Bad-T, NPO",
            text: "as gradient ascent, under the same cap, with as many retained prompts in each step, whose answers "
                + "are held at the original's; NegKL (arXiv 2403.03536) goes away from the original's answers to the "
                + "forget set, after a first step of gradient ascent, without which nothing moves; Bad-T "
                + "(arXiv 2205.08096) goes towards the answers of a model that was not trained, here the base model; NPO "
                + "(arXiv 2404.05868, beta 0.1) goes up the loss the less, the further the answer already went"),
        ComparisonDescription(
            name: "APA",
            text: "the cluster's partition; sample-adaptive attention chosen on validation; exact: in a "
                + "sequence its distance to Retrain is that of its construction, not of forgetting; requests of "
                + "a sequence are retrained together at the checkpoints"),
    ]
}
