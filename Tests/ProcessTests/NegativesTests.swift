import Foundation
import PeerTestSupport
import Testing

@Suite("Negatives drawn at an import", .waiting)
struct NegativesTests {
    /// Purchases of a shop where nobody rates, with and without a table of all products.
    private func write(to folder: URL) throws -> (orders: String, products: String) {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let orders = folder.appendingPathComponent("orders.csv")
        let products = folder.appendingPathComponent("products.csv")
        var rows = "customer_id,product_id,created_at\n"
        for customer in 0..<6 {
            for day in 0..<7 { rows += "c\(customer),p\((customer * 3 + day) % 20),2024-0\(day + 1)-02\n" }
        }
        rows += "c0,p77,2024-01-01\n"
        try Data(rows.utf8).write(to: orders)
        let titles = (0..<40).map { "p\($0),Lamp \($0)\n" }.joined()
        try Data(("product_id,name\n" + titles).utf8).write(to: products)
        return (orders.path, products.path)
    }

    @Test("A shop without ratings can train: the check says what would be drawn, the import draws it, twice is once")
    func shop() throws {
        let cluster = try TestCluster()
        let files = try write(to: cluster.root.appendingPathComponent("shop"))
        let arguments = [
            "import", "--format", "csv", files.orders, files.products, "--rating", "1", "--history", "3", "--negatives",
            "2",
        ]
        let check = try cluster.command(arguments + ["--check"])
        #expect(check.status == 0, "\(check.errors)")
        let said = try #require(check.json["negatives"] as? [String: Any])
        #expect(said["drawn"] as? Int == 84 && said["pool"] as? Int == 40 && said["per_like"] as? Int == 2)
        let done = try cluster.command(arguments)
        #expect(done.status == 0, "\(done.errors)")
        #expect(done.json["negatives_drawn"] as? Int == 84 && done.json["rows_refused"] as? Int == 1)
        let prompts = try #require(done.json["prompts"] as? [String: Int])
        #expect((prompts["train"] ?? 0) > 6 * 2)
        let likes = try #require(done.json["likes"] as? [String: Int])
        #expect(likes["train"] == 6 * 2)
        // The check draws by the cluster's seed.
        #expect(check.json["prompts"] as? [String: Int] == prompts)
        let again = try cluster.command(arguments)
        #expect(again.json["negatives_drawn"] as? Int == 0 && again.json["shards_changed"] as? [Int] == [])
        let access = try cluster.succeed("access", "--user", "c1")
        #expect((access["sampled"] as? [[String: Any]])?.count == 14)
        #expect((access["interactions"] as? [[String: Any]])?.count == 7)
        let sampled = try #require(access["prompts"] as? [[String: Any]]).filter { $0["is_sampled"] as? Bool == true }
        #expect(!sampled.isEmpty && sampled.allSatisfy { $0["label"] as? Bool == false })
    }

    @Test("Without a table of items, and out of bounds, the arguments are wrong and nothing is imported")
    func refused() throws {
        let cluster = try TestCluster()
        let folder = cluster.root.appendingPathComponent("alone")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appendingPathComponent("likes.csv").path
        try Data("user,item,item_title\na,i,T\nb,j,U\n".utf8).write(to: URL(fileURLWithPath: file))
        for more in [[], ["--check"]] {
            let result = try cluster.command(
                ["import", "--format", "csv", file, "--rating", "1", "--negatives", "2"] + more)
            #expect(result.status == 64 && result.errors.contains("table of items"), "\(result.errors)")
            for number in ["-1", "21", "1000000000", "x"] {
                let result = try cluster.command(
                    ["import", "--format", "csv", file, "--rating", "1", "--negatives=\(number)"] + more)
                #expect(result.status == 64, "\(number): \(result.errors)")
            }
        }
        // Not even titles.
        try Data("user,item\na,i\nb,j\n".utf8).write(to: URL(fileURLWithPath: file))
        let bare = try cluster.command("import", "--format", "csv", file, "--rating", "1", "--negatives", "2")
        #expect(bare.status == 64 && bare.errors.contains("table of items"), "\(bare.errors)")
        try Data("user,item,item_title\na,i,T\nb,j,U\n".utf8).write(to: URL(fileURLWithPath: file))
        let status = try #require(try cluster.succeed("status")["statistics"] as? [String: Any])
        #expect(status["interactions"] as? Int == 0)
        #expect(try cluster.command("import", "--format", "csv", file, "--rating", "1", "--negatives", "0").status == 0)
    }
}
