import Experiments
import Foundation
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite("Figures of a comparison")
struct ComparisonFigureTests {
    /// Collects elements and texts.
    private final class Reader: NSObject, XMLParserDelegate {
        var elements: [String] = []
        var attributes: [[String: String]] = []
        var text = ""
        var failure: String?

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            elements.append(name)
            self.attributes.append(attributes)
        }
        func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
        func parser(_ parser: XMLParser, parseErrorOccurred error: any Error) { failure = "\(error)" }
    }

    private func read(_ svg: String) -> Reader {
        let reader = Reader()
        let parser = XMLParser(data: Data(svg.utf8))
        parser.delegate = reader
        if !parser.parse(), reader.failure == nil { reader.failure = "not parsed" }
        return reader
    }

    private func report() throws -> ComparisonReport {
        let shop = try ComparisonShop()
        let options = ComparisonOptions(
            forget: [ForgetKind(.users, 20), ForgetKind(.interaction, 1)], seeds: 2, sequence: 4)
        return ComparisonReport(merging: try shop.cases(options).map(ComparisonShop.run))
    }

    @Test("Every figure is well-formed, names its axes with units, and has a legend with every method")
    func wellFormed() throws {
        let report = try report()
        let figures = ComparisonFigures(report).all
        #expect(figures.map(\.name) == ["request-time", "drift", "attention"])
        for figure in figures {
            let reader = read(figure.svg)
            #expect(reader.failure == nil, "\(figure.name): \(reader.failure ?? "")")
            #expect(reader.elements.first == "svg")
            #expect(!figure.svg.contains("nan") && !figure.svg.contains("inf"))
        }
        let time = read(figures[0].svg)
        for text in ["seconds of the request", "JSD to Retrain, nats", "forget users:20%", "forget interaction"] {
            #expect(time.text.contains(text))
        }
        for method in ComparisonMethod.allCases { #expect(time.text.contains(method.name)) }
        #expect(read(figures[1].svg).elements.count { $0 == "polyline" } == 5)
        #expect(read(figures[2].svg).text.contains("shard"))
    }

    @Test("Coordinates lie within the paper")
    func within() throws {
        for figure in ComparisonFigures(try report()).all {
            let reader = read(figure.svg)
            let width = try #require(Double(reader.attributes[0]["width"] ?? ""))
            let height = try #require(Double(reader.attributes[0]["height"] ?? ""))
            for attributes in reader.attributes {
                for key in ["x", "x1", "x2", "cx"] {
                    if let value = attributes[key].flatMap(Double.init) { #expect((0...width).contains(value)) }
                }
                for key in ["y", "y1", "y2", "cy"] {
                    if let value = attributes[key].flatMap(Double.init) { #expect((0...height).contains(value)) }
                }
            }
        }
    }

    @Test("A report without data has no figures")
    func empty() {
        #expect(ComparisonFigures(ComparisonReport()).all.isEmpty)
    }
}
