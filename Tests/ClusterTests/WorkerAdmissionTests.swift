import Coordination
import Messages
import Service
import Testing

@Suite("Nobody fills the cluster with workers alone")
struct WorkerAdmissionTests {
    private func admission(ofOneKey: Int, ofOneAddress: Int) -> WorkerAdmission {
        var limits = WorkerAdmission.Limits()
        (limits.ofOneKey, limits.ofOneAddress) = (ofOneKey, ofOneAddress)
        return WorkerAdmission(limits)
    }

    private func peer(_ number: Int) -> PeerID { PeerID([UInt8(number)]) }

    /// The numbers of the peers that are let in.
    private func admitted(
        _ admission: inout WorkerAdmission, _ numbers: Range<Int>, key: String?, address: String?
    ) -> [Int] {
        numbers.filter {
            let objection = admission.objection(to: peer($0), key: key, address: address) { _ in true }
            if let objection { #expect(objection.code == .full) }
            return objection == nil
        }
    }

    @Test("One key brings in so many, from however many machines, and another key its own")
    func key() {
        var admission = admission(ofOneKey: 3, ofOneAddress: 100)
        #expect(admitted(&admission, 0..<2, key: "k", address: "1.1.1.1") == [0, 1])
        #expect(admitted(&admission, 2..<5, key: "k", address: "2.2.2.2") == [2])
        #expect(admitted(&admission, 5..<7, key: "l", address: "1.1.1.1") == [5, 6])
    }

    @Test("One machine brings in so many, with however many keys, and another machine its own")
    func address() {
        var admission = admission(ofOneKey: 100, ofOneAddress: 3)
        for number in 0..<5 {
            let isIn = admitted(&admission, number..<number + 1, key: "k\(number)", address: "1.1.1.1")
            #expect(isIn == (number < 3 ? [number] : []))
        }
        #expect(admitted(&admission, 5..<6, key: "k", address: "2.2.2.2") == [5])
    }

    @Test("Without keys everybody is on this machine, and the machine's bound is for nobody")
    func withoutKeys() {
        var admission = admission(ofOneKey: 1, ofOneAddress: 1)
        #expect(admitted(&admission, 0..<5, key: nil, address: "127.0.0.1") == Array(0..<5))
    }

    @Test("A worker that greets again counts once, and one that is gone counts no more")
    func again() {
        var admission = admission(ofOneKey: 2, ofOneAddress: 2)
        for _ in 0..<5 { #expect(admitted(&admission, 0..<2, key: "k", address: "a") == [0, 1]) }
        #expect(admitted(&admission, 2..<3, key: "k", address: "a").isEmpty)
        let objection = admission.objection(to: peer(3), key: "k", address: "a") { $0 != peer(0) }
        #expect(objection == nil)
        #expect(admitted(&admission, 4..<5, key: "k", address: "a").isEmpty)
    }

    @Test("A worker that comes over another connection counts once, also before the old one is gone")
    func moved() {
        var admission = admission(ofOneKey: 2, ofOneAddress: 2)
        #expect(admitted(&admission, 0..<2, key: "k", address: "a") == [0, 1])
        let objection = admission.objection(to: peer(2), from: peer(0), key: "k", address: "a") { _ in true }
        #expect(objection == nil)
        let another = admission.objection(to: peer(3), from: peer(2), key: "k", address: "a") { $0 != peer(0) }
        #expect(another == nil)
        #expect(admitted(&admission, 4..<5, key: "k", address: "a").isEmpty)
    }

    @Test func `Those that are in are told in the order in which they came, also after one greeted again`() {
        var admission = admission(ofOneKey: 9, ofOneAddress: 9)
        for number in [5, 3, 9, 5, 1] { _ = admitted(&admission, number..<number + 1, key: "k", address: "a") }
        #expect(admission.keys.map(\.peer) == [5, 3, 9, 1].map(peer))
    }

    @Test("What one key and one machine may bring leaves room for others")
    func bounds() {
        let limits = WorkerAdmission.Limits()
        #expect(limits.ofOneKey < CoordinatorLimits.workers && limits.ofOneAddress < limits.ofOneKey)
    }
}
