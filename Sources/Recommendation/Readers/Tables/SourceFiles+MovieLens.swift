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
        try inputs.refuseStandardInput(of: "movielens")
        let folder = SourceFile.isFolder(path) ? path : FilePath.folder(of: path)
        let name = SourceFile.isFolder(path) ? nil : path.lastPathComponent
        func file(_ bare: String) -> SourceFile? {
            let place = (folder as NSString).appendingPathComponent
            return packedOrNot(bare, first: name).map { inputs.file(place($0)) }.first(where: \.exists)
        }
        let double = [UInt8](repeating: UInt8(ascii: ":"), count: 2)
        let ratingColumns = Columns(user: 0, item: 1, rating: 2, timestamp: 3, count: 4...4)
        let sets = [
            (
                ratings: "u.data", items: "u.item", columns: Columns(item: 0, title: 1, count: 2...64),
                separators: (ratings: [UInt8(ascii: "\t")], items: [UInt8(ascii: "|")])
            ),
            (
                ratings: "ratings.dat", items: "movies.dat", columns: Columns(item: 0, title: 1, count: 3...3),
                separators: (ratings: double, items: double)
            ),
        ]
        let wanted = sets.first { set in
            name.map { (packedOrNot(set.ratings) + packedOrNot(set.items)).contains($0) } ?? (file(set.ratings) != nil)
        }
        guard let wanted, let ratings = file(wanted.ratings) else {
            throw RecommendationError.missingFile(path: path, wanted: "u.data or ratings.dat" + newer(in: folder))
        }
        guard let items = file(wanted.items) else {
            let place = (folder as NSString).appendingPathComponent(wanted.items)
            throw RecommendationError.missingTitles(path: path, wanted: "file \(place)")
        }
        return SourceFiles(
            items: [
                Table(
                    file: items, columns: wanted.columns, separation: .plain(wanted.separators.items), headerLines: 0)
            ],
            ratings: [
                Table(
                    file: ratings, columns: ratingColumns, separation: .plain(wanted.separators.ratings), headerLines: 0
                )
            ])
    }

    /// What to do with MovieLens's newer data sets, which have other files.
    private static func newer(in folder: String) -> String {
        let isThere = packedOrNot((folder as NSString).appendingPathComponent("ratings.csv")).contains {
            SourceFile($0).exists
        }
        return isThere
            ? "; ratings.csv and movies.csv, as newer MovieLens data sets have them, are read by --format csv" : ""
    }
}
