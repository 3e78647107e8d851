/// How long leases hold.
///
/// A lease is Gray and Cheriton's (SOSP 1989): whoever holds it may answer until it runs out without asking, and whoever granted it waits for
/// that long, at most, for a holder that does not answer.
package struct LeaseRules: Sendable {
    /// A lease, by its holder's clock from when it asked for it.
    package var milliseconds: Int64 = 3000
    /// How often a holder asks for a longer one.
    package var renewal: Int64 = 1000
    /// For how long a holder that has not said that it obeys a revocation gets a longer lease all the same.
    package var patience: Int64 = 1000
    /// Share by which one clock may run faster than another. Quartz is within 0.0002; this is for virtual machines.
    package var drift = 0.05
    /// Leases at once.
    package var holders = 256

    package init() {}

    /// How long whoever granted a lease has to wait, by its own clock, until the holder's clock has certainly run it out.
    package var waited: Int64 { Int64((Double(milliseconds) * (1 + drift)).rounded(.up)) + 1 }
}
