import Foundation
import Unlearning

/// A drawing in SVG 1.1, readable on light and dark paper: text and lines take their colour from the style sheet, which
/// follows the reader's preference.
struct SVGCanvas {
    enum Anchor: String {
        case start, middle, end
    }

    let width: Double
    let height: Double
    private var body: [String] = []

    init(width: Double, height: Double) {
        self.width = width
        self.height = height
    }

    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, kind: String) {
        body.append(
            "<line class=\"\(kind)\" x1=\"\(Self.number(x1))\" y1=\"\(Self.number(y1))\" x2=\"\(Self.number(x2))\" "
                + "y2=\"\(Self.number(y2))\"/>")
    }

    mutating func dashes(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, colour: String) {
        body.append(
            "<line x1=\"\(Self.number(x1))\" y1=\"\(Self.number(y1))\" x2=\"\(Self.number(x2))\" "
                + "y2=\"\(Self.number(y2))\" stroke=\"\(colour)\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\"/>")
    }

    mutating func path(_ points: [(x: Double, y: Double)], colour: String) {
        let list = points.map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " ")
        body.append(
            "<polyline points=\"\(list)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\" "
                + "stroke-linejoin=\"round\"/>")
    }

    /// A stroke of a given colour: error bars, whiskers.
    mutating func stroke(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, colour: String, width: Double = 1.2) {
        body.append(
            "<line x1=\"\(Self.number(x1))\" y1=\"\(Self.number(y1))\" x2=\"\(Self.number(x2))\" "
                + "y2=\"\(Self.number(y2))\" stroke=\"\(colour)\" stroke-width=\"\(Self.number(width))\"/>")
    }

    mutating func box(_ x: Double, _ y: Double, _ width: Double, _ height: Double, colour: String) {
        body.append(
            "<rect x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(max(width, 0.5)))\" "
                + "height=\"\(Self.number(max(height, 0.5)))\" fill=\"\(colour)\" fill-opacity=\"0.35\" "
                + "stroke=\"\(colour)\" stroke-width=\"1.5\"/>")
    }

    /// Shapes differ as colours do, for those who cannot tell colours apart.
    mutating func marker(_ x: Double, _ y: Double, style: SeriesStyle, title: String = "") {
        let label = title.isEmpty ? "" : "<title>\(Self.escaped(title))</title>"
        let paint = "fill=\"\(style.colour)\" class=\"marker\""
        func polygon(_ corners: [(Double, Double)]) -> String {
            let list = corners.map { "\(Self.number(x + $0.0)),\(Self.number(y + $0.1))" }.joined(separator: " ")
            return "<polygon points=\"\(list)\" \(paint)>\(label)</polygon>"
        }
        switch style.shape {
        case .circle:
            body.append(
                "<circle cx=\"\(Self.number(x))\" cy=\"\(Self.number(y))\" r=\"5\" \(paint)>\(label)</circle>")
        case .square: body.append(polygon([(-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)]))
        case .diamond: body.append(polygon([(0, -6), (6, 0), (0, 6), (-6, 0)]))
        case .triangle: body.append(polygon([(0, -5.5), (5.5, 4.5), (-5.5, 4.5)]))
        }
    }

    mutating func text(
        _ text: String, _ x: Double, _ y: Double, anchor: Anchor = .start, kind: String = "label", turned: Bool = false
    ) {
        let turn = turned ? " transform=\"rotate(-90 \(Self.number(x)) \(Self.number(y)))\"" : ""
        body.append(
            "<text class=\"\(kind)\" x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" "
                + "text-anchor=\"\(anchor.rawValue)\"\(turn)>\(Self.escaped(text))</text>")
    }

    /// The file.
    var svg: String {
        let (w, h) = (Self.number(width), Self.number(height))
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(w)" height="\(h)" viewBox="0 0 \(w) \(h)" role="img">
            <style>
            text { font-family: system-ui, "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #24292f; }
            .title { font-size: 15px; font-weight: 600; } .heading { font-size: 13px; font-weight: 600; }
            .label { font-size: 12px; } .tick { font-size: 11px; } .note { font-size: 11px; }
            .note, .tick { fill: #57606a; }
            .axis { stroke: #57606a; stroke-width: 1; } .grid { stroke: #d0d7de; stroke-width: 0.7; }
            .paper { fill: #ffffff; } .marker { stroke: #ffffff; stroke-width: 0.8; }
            @media (prefers-color-scheme: dark) {
            text { fill: #e6edf3; } .note, .tick { fill: #9198a1; }
            .axis { stroke: #9198a1; } .grid { stroke: #3d444d; } .paper { fill: #0d1117; } .marker { stroke: #0d1117; }
            }
            </style>
            <rect class="paper" x="0" y="0" width="\(w)" height="\(h)"/>
            \(body.joined(separator: "\n"))
            </svg>

            """
    }

    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "0" }
        let text = String(format: "%.2f", value)
        return text.hasSuffix(".00") ? String(text.dropLast(3)) : text
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }
}

/// Colour and shape of one method; the colours are Okabe and Ito's, darkened or lightened to be read on both papers.
struct SeriesStyle {
    enum Shape { case circle, square, diamond, triangle }

    var colour: String
    var shape: Shape

    init(_ method: ComparisonMethod) {
        switch method {
        case .original: self.init("#7f7f7f", .circle)
        case .retrain: self.init("#1a7f37", .square)
        case .retrainAgain: self.init("#7fbf8f", .square)
        case .retrainSliced: self.init("#1a7f37", .diamond)
        case .sisa: self.init("#56b4e9", .triangle)
        case .recEraser: self.init("#0072b2", .triangle)
        case .gradientAscent: self.init("#b5651d", .circle)
        case .negativeDivergence: self.init("#8c564b", .triangle)
        case .badTeacher: self.init("#bcbd22", .triangle)
        case .negativePreference: self.init("#17808a", .triangle)
        case .e2urec: self.init("#cc79a7", .circle)
        case .ifru: self.init("#d55e00", .diamond)
        case .ifruDirect: self.init("#e69f00", .diamond)
        case .apaD: self.init("#9467bd", .square)
        case .apaND: self.init("#6f42c1", .square)
        case .apaSliced: self.init("#6f42c1", .diamond)
        }
    }

    init(_ colour: String, _ shape: Shape) {
        self.colour = colour
        self.shape = shape
    }
}
