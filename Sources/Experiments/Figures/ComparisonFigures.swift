import Foundation
import Unlearning

/// Figures of a comparison, each a whole SVG file. A pure function of the report.
public struct ComparisonFigures {
    public struct Figure: Hashable, Sendable {
        /// Of the file, without extension.
        public var name: String
        public var svg: String
    }

    private let report: ComparisonReport

    public init(_ report: ComparisonReport) {
        self.report = report
    }

    /// Those for which the report has data.
    public var all: [Figure] {
        [("request-time", requestTime), ("drift", drift), ("attention", attention)].compactMap { name, svg in
            svg.map { Figure(name: name, svg: $0) }
        }
    }

    private static let (panelWidth, panelHeight) = (330.0, 230.0)

    /// Seconds of the request against distance to Retrain, one panel for each kind of forgetting.
    public var requestTime: String? {
        let summaries = report.summaries.filter { $0.jensenShannon != nil }
        var kinds: [ForgetKind] = []
        for summary in summaries where !kinds.contains(summary.kind) { kinds.append(summary.kind) }
        guard !kinds.isEmpty else { return nil }
        let columns = min(2, kinds.count)
        let rows = (kinds.count + columns - 1) / columns
        // The original, which takes no time, is a line with its name on it.
        let methods = Self.ordered(summaries.filter { $0.requestSeconds?.mean ?? 0 > 0 }.map(\.method))
        let width = max(540, Double(columns) * (Self.panelWidth + 100) + 20)
        let legendRows = Self.legendRows(methods, width: width)
        var canvas = SVGCanvas(
            width: width,
            height: 90 + Double(rows) * (Self.panelHeight + 92) + Double(legendRows) * 22 + 12)
        canvas.text("Time of a forget request and distance to retraining", 20, 28, kind: "title")
        canvas.text("Lower is nearer to never having known; further left is faster.", 20, 47, kind: "note")
        canvas.text(spread, 20, 63, kind: "note")
        let times = PlotScale(summaries.compactMap(\.requestSeconds?.mean), isLogarithmic: true)
        for (index, kind) in kinds.enumerated() {
            let panel = summaries.filter { $0.kind == kind }
            let distances = PlotScale(panel.compactMap { $0.jensenShannon.map { $0.mean + $0.deviation } })
            let area = PlotArea(
                x: 82 + Double(index % columns) * (Self.panelWidth + 100),
                y: 98 + Double(index / columns) * (Self.panelHeight + 92), width: Self.panelWidth,
                height: Self.panelHeight, horizontal: times, vertical: distances)
            area.draw(
                on: &canvas, across: "seconds of the request", up: "JSD to Retrain, nats",
                heading: "forget \(kind)")
            for summary in panel { Self.draw(summary, in: area, on: &canvas) }
        }
        Self.legend(methods, y: canvas.height - Double(legendRows) * 22 - 2, on: &canvas)
        return canvas.svg
    }

    private static func draw(_ summary: ComparisonSummary, in area: PlotArea, on canvas: inout SVGCanvas) {
        guard let distance = summary.jensenShannon else { return }
        let style = SeriesStyle(summary.method)
        guard let seconds = summary.requestSeconds, seconds.mean > 0 else {
            // No request at all: a line over the whole width.
            let at = area.point(area.horizontal.low, distance.mean)
            canvas.dashes(area.x, at.y, area.x + area.width, at.y, colour: style.colour)
            return canvas.text(summary.method.name, area.x + area.width - 4, at.y - 5, anchor: .end, kind: "note")
        }
        let centre = area.point(seconds.mean, distance.mean)
        if distance.count > 1 {
            let (top, bottom) = (
                area.point(seconds.mean, distance.mean + distance.deviation),
                area.point(seconds.mean, max(0, distance.mean - distance.deviation))
            )
            canvas.stroke(centre.x, top.y, centre.x, bottom.y, colour: style.colour)
        }
        canvas.marker(
            centre.x, centre.y, style: style,
            title: "\(summary.method.name): \(PlotScale.label(seconds.mean)) s, \(PlotScale.label(distance.mean)) nats")
    }

    /// Distance to a training from the beginning, request after request.
    public var drift: String? {
        let points = report.driftSummaries.filter { $0.distance != nil }
        guard !points.isEmpty else { return nil }
        let methods = Self.ordered(points.map(\.method))
        var canvas = SVGCanvas(width: 720, height: 436 + Double(Self.legendRows(methods, width: 720)) * 22)
        canvas.text("Many small requests, one after another", 20, 28, kind: "title")
        canvas.text(
            "Distance to an adapter trained from the beginning on what is left, on all that was forgotten so far.",
            20, 47, kind: "note")
        canvas.text(
            "Bars: ± two standard errors, over prompts or over seeds, whichever are larger.", 20, 63, kind: "note")
        let counts = Set(points.map(\.requests)).sorted()
        let area = PlotArea(
            x: 82, y: 92, width: 600, height: 280, horizontal: PlotScale(counts.map(Double.init)),
            vertical: PlotScale(points.compactMap { $0.distance.map { $0.mean + 2 * ($0.standardError ?? 0) } }))
        area.draw(
            on: &canvas, across: "requests done (one interaction each)", up: "JSD to Retrain, nats", heading: "",
            ticks: counts.map(Double.init))
        for (index, method) in methods.enumerated() {
            let style = SeriesStyle(method)
            // Beside each other, so that the bars of one do not hide those of another.
            let aside = 5 * (Double(index) - Double(methods.count - 1) / 2)
            let series = points.filter { $0.method == method }
            let places = series.map { point in
                let place = area.point(Double(point.requests), point.distance?.mean ?? 0)
                return (x: place.x + aside, y: place.y)
            }
            canvas.path(places, colour: style.colour)
            for (point, place) in zip(series, places) {
                if let distance = point.distance, let error = distance.standardError {
                    let low = area.point(Double(point.requests), max(0, distance.mean - 2 * error))
                    let high = area.point(Double(point.requests), distance.mean + 2 * error)
                    canvas.stroke(place.x, low.y, place.x, high.y, colour: style.colour)
                }
                canvas.marker(place.x, place.y, style: style, title: "\(method.name) after \(point.requests)")
            }
        }
        Self.legend(methods, y: 426, on: &canvas)
        return canvas.svg
    }

    /// APA's weights over the test prompts, one box for each shard; the first case that has them.
    public var attention: String? {
        guard let attention = report.attention.first, !attention.weights.isEmpty,
            attention.weights.allSatisfy({ !$0.isEmpty })
        else { return nil }
        let shown = attention.weights.prefix(32)
        let step = max(24, min(90, 600 / Double(shown.count)))
        var canvas = SVGCanvas(width: 120 + max(420, step * Double(shown.count)), height: 410)
        canvas.text("APA's attention: how much each shard's adapter counts", 20, 28, kind: "title")
        canvas.text(
            "ω over \(attention.weights[0].count) test prompts, seed \(attention.seed); box: quartiles, whiskers: all.",
            20,
            47, kind: "note")
        canvas.text(
            attention.tau == 0
                ? "Chosen on validation: τ = 0, equal weights."
                : "Chosen on validation: τ = \(PlotScale.label(attention.tau)), n = \(attention.neighbours). "
                    + "Dashed: equal weights.", 20, 63, kind: "note")
        let equal = 1 / Double(attention.weights.count)
        let area = PlotArea(
            x: 82, y: 92, width: canvas.width - 110, height: 250, horizontal: PlotScale([Double(shown.count)]),
            vertical: PlotScale(shown.joined() + [2 * equal]))
        area.draw(on: &canvas, across: "shard", up: "weight ω", heading: "", ticks: [])
        let style = SeriesStyle(.apaND)
        let pitch = area.width / Double(shown.count)
        for (shard, weights) in shown.enumerated() {
            let middle = area.x + (Double(shard) + 0.5) * pitch
            let half = min(24, pitch * 0.32)
            let sorted = weights.sorted()
            func at(_ share: Double) -> Double {
                area.point(0, sorted[min(sorted.count - 1, Int(share * Double(sorted.count - 1) + 0.5))]).y
            }
            canvas.stroke(middle, at(0), middle, at(1), colour: style.colour)
            canvas.box(middle - half, at(0.75), 2 * half, at(0.25) - at(0.75), colour: style.colour)
            canvas.stroke(middle - half, at(0.5), middle + half, at(0.5), colour: style.colour, width: 2.5)
            canvas.text("\(shard)", middle, area.y + area.height + 17, anchor: .middle, kind: "tick")
        }
        let level = area.point(0, equal).y
        canvas.dashes(area.x, level, area.x + area.width, level, colour: SeriesStyle(.original).colour)
        return canvas.svg
    }

    private var spread: String {
        let seeds = Set(report.cases.map(\.seed)).count
        let refused = Self.ordered(report.summaries.filter { $0.refused > 0 }.map(\.method)).map(\.name)
        return (seeds > 1 ? "Means of \(seeds) seeds, bars: ± one deviation." : "One seed.")
            + (refused.isEmpty ? "" : " A cluster would refuse some of: \(refused.joined(separator: ", ")).")
    }

    private static func ordered(_ methods: [ComparisonMethod]) -> [ComparisonMethod] {
        ComparisonMethod.allCases.filter(methods.contains)
    }

    // MARK: legend

    private static func place(_ methods: [ComparisonMethod], width: Double) -> [(row: Int, x: Double)] {
        var (row, x) = (0, 20.0)
        return methods.map { method in
            let needed = 34 + 7.2 * Double(method.name.count)
            if x + needed > width - 10 { (row, x) = (row + 1, 20) }
            defer { x += needed }
            return (row, x)
        }
    }

    private static func legendRows(_ methods: [ComparisonMethod], width: Double) -> Int {
        (place(methods, width: width).last?.row ?? -1) + 1
    }

    private static func legend(_ methods: [ComparisonMethod], y: Double, on canvas: inout SVGCanvas) {
        for (method, place) in zip(methods, place(methods, width: canvas.width)) {
            let at = y + Double(place.row) * 22
            canvas.marker(place.x + 6, at, style: SeriesStyle(method))
            canvas.text(method.name, place.x + 18, at + 4)
        }
    }
}
