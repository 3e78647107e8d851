import Crypto
import Foundation
import Recommendation
import Testing

@Suite("The TALLRec benchmark's movie set")
struct TallrecBenchmarkTests {
    private static let folder = ProcessInfo.processInfo.environment["LETHE_TEST_ML100K"]

    @Test("RecBole's ML-100K gives the benchmark's prompts, in its order", .enabled(if: folder != nil))
    func movieSet() throws {
        let data = try ReadData(.recbole, try #require(Self.folder), size: 4096)
        #expect((data.report.read, data.report.kept, data.report.items) == (101_682, 100_000, 1682))
        #expect(data.report.refused == 0 && data.report.samples.isEmpty && data.report.filesWithoutTime.isEmpty)
        let prompts = try data.prompts(PromptConfiguration(method: .tallrec))
        #expect(prompts.count == 10_000)
        // Of input and answer, a line break behind each; computed by a second implementation of TALLRec's preprocessing,
        // whose validation and test files are as long as the published ones.
        let wanted: [(Split, Int, String)] = [
            (.train, 8000, "d759d7ce19c515d6679f51a1efede39eb4abe5847408adc7b9a57036f315a1b9"),
            (.validation, 1000, "bf427c51babbdae00e8eeb260719ba5f4839269eef0c3e75f7fed14dbd1f04b6"),
            (.test, 1000, "e4af86d9e178780e79cb104c91a7785981f1508c5aea4c2c438c48642660a49a"),
        ]
        for (split, count, digest) in wanted {
            let part = prompts.filter { $0.split == split }
            #expect(part.count == count)
            let text = part.map { "\($0.input)\n\($0.output)\n" }.joined()
            #expect(SHA256.hash(data: Data(text.utf8)).map { String(format: "%02x", $0) }.joined() == digest)
        }
        #expect(prompts.map(\.split) == prompts.map(\.split).sorted { order($0) < order($1) })
    }

    private func order(_ split: Split) -> Int { Split.allCases.firstIndex(of: split) ?? 0 }

    @Test("The last 10,000 samples are cut 80/10/10 by position, and earlier users are not asked for")
    func positions() {
        let configuration = PromptConfiguration(method: .tallrec, historyLength: 2)
        let users = (0..<300).map { "user \($0)" }
        var asked: [String] = []
        let targets = TallrecSplit.assign(usersInFileOrder: users, configuration: configuration) { user in
            asked.append(user)
            return (0..<52).map {
                Interaction(user: user, item: "i\($0)", timestamp: Int64($0), rating: 4, ordinal: Int64($0))
            }
        }
        #expect(targets.count == TallrecSplit.samples)
        #expect(asked == Array(users.suffix(200).reversed()))
        #expect(targets.prefix(8000).allSatisfy { $0.split == .train })
        #expect(targets[8000..<9000].allSatisfy { $0.split == .validation })
        #expect(targets[9000...].allSatisfy { $0.split == .test })
        #expect(targets.first?.key == InteractionKey(user: "user 100", item: "i2", timestamp: 2))
        #expect(targets.last?.key == InteractionKey(user: "user 299", item: "i51", timestamp: 51))
    }

    @Test("Small data is cut the same way, in the order in which the file names the users")
    func village() throws {
        let village = try ReadData.village()
        let prompts = try village.prompts(PromptConfiguration(method: .tallrec))
        #expect(prompts.count == 91)
        #expect(Split.allCases.map { split in prompts.count { $0.split == split } } == [72, 9, 10])
        var users: [String] = []
        for prompt in prompts where users.last != prompt.user { users.append(prompt.user) }
        #expect(users == village.users.filter(Set(users).contains))
    }
}
