import Unlearning

/// How the loss of one training went, epoch by epoch, as a whole SVG file. A pure function of the report.
public enum TrainingFigure {
    private static let trained = SeriesStyle("#0072b2", .circle)
    private static let heldOut = SeriesStyle("#d55e00", .diamond)

    /// nil: the adapter was corrected, not trained.
    public static func losses(of report: TrainingReport, shard: Int) -> String? {
        guard !report.epochLosses.isEmpty else { return nil }
        var canvas = SVGCanvas(width: 560, height: 340)
        canvas.text("Shard \(shard): loss of each epoch", 20, 28, kind: "title")
        canvas.text(note(of: report), 20, 47, kind: "note")
        let losses = report.epochLosses + (report.heldOut?.epochLosses ?? [])
        let epochs = Double(report.epochLosses.count)
        let area = PlotArea(
            x: 82, y: 78, width: 440, height: 200, horizontal: PlotScale([epochs]), vertical: PlotScale(losses))
        area.draw(
            on: &canvas, across: "epoch", up: "nats", heading: "",
            ticks: report.epochLosses.count <= 12 ? (1...report.epochLosses.count).map(Double.init) : nil)
        draw(report.epochLosses, style: trained, name: "training, each prompt before its step", in: area, on: &canvas)
        if let held = report.heldOut {
            draw(held.epochLosses, style: heldOut, name: "held-out prompts", in: area, on: &canvas)
            let kept = area.point(Double(held.epoch), area.vertical.high).x
            canvas.dashes(kept, area.y, kept, area.y + area.height, colour: heldOut.colour)
        }
        return canvas.svg
    }

    private static func note(of report: TrainingReport) -> String {
        guard let held = report.heldOut else {
            return "\(report.prompts) prompts; every prompt under the adapter of its step."
        }
        return "\(report.prompts) prompts, \(held.prompts) of them held out; epoch \(held.epoch) was kept."
    }

    private static func draw(
        _ losses: [Double], style: SeriesStyle, name: String, in area: PlotArea, on canvas: inout SVGCanvas
    ) {
        let places = losses.enumerated().map { area.point(Double($0.offset + 1), $0.element) }
        canvas.path(places, colour: style.colour)
        for (index, place) in places.enumerated() {
            canvas.marker(
                place.x, place.y, style: style, title: "\(name), epoch \(index + 1): \(PlotScale.label(losses[index]))")
        }
        guard let last = places.last else { return }
        canvas.text(name, last.x - 4, last.y - 9, anchor: .end, kind: "note")
    }
}
