import Files
import Foundation

/// `u.data` with `u.item`, or `ratings.dat` with `movies.dat`.
extension SourceFiles {
    static func movielens(_ inputs: InputPaths) throws -> SourceFiles {
        guard inputs.paths.count == 1, let path = inputs.paths.first else {
            throw RecommendationError.invalidColumns(reason: "movielens takes one path; csv takes several")
        }
        guard inputs.rules.columns.all.isEmpty, inputs.rules.ratings == .column else {
            throw RecommendationError.invalidColumns(
                reason: "movielens has columns of its own; give other files as csv, which reads :: and tabs too")
        }
        let folder = SourceFile.isFolder(path) ? path : FilePath.folder(of: path)
        let name = SourceFile.isFolder(path) ? nil : path.lastPathComponent
        let double = [UInt8](repeating: UInt8(ascii: ":"), count: 2)
        func table(_ name: String, _ columns: Columns, _ separator: [UInt8]) -> Table {
            Table(
                file: inputs.file((folder as NSString).appendingPathComponent(name)), columns: columns,
                separation: .plain(separator), headerLines: 0)
        }
        let ratings = Columns(user: 0, item: 1, rating: 2, timestamp: 3, count: 4...4)
        let sets = [
            (
                ratings: table("u.data", ratings, [UInt8(ascii: "\t")]),
                items: table("u.item", Columns(item: 0, title: 1, count: 2...64), [UInt8(ascii: "|")])
            ),
            (
                ratings: table("ratings.dat", ratings, double),
                items: table("movies.dat", Columns(item: 0, title: 1, count: 3...3), double)
            ),
        ]
        let wanted = sets.first { set in
            name.map { [set.ratings.file.name, set.items.file.name].contains($0) } ?? set.ratings.file.exists
        }
        guard let wanted, wanted.ratings.file.exists else {
            throw RecommendationError.missingFile(path: path, wanted: "u.data or ratings.dat")
        }
        guard wanted.items.file.exists else {
            throw RecommendationError.missingTitles(path: path, wanted: "file \(wanted.items.file.path)")
        }
        return SourceFiles(items: [wanted.items], ratings: [wanted.ratings])
    }
}
