import Foundation

/// One axis: values to positions, and where its ticks are.
struct PlotScale {
    let low: Double
    let high: Double
    let isLogarithmic: Bool

    /// - Parameter values: what must fit; a linear axis begins at zero.
    init(_ values: [Double], isLogarithmic: Bool = false) {
        self.isLogarithmic = isLogarithmic
        let values = values.filter { $0.isFinite && (!isLogarithmic || $0 > 0) }
        let (least, most) = (values.min() ?? (isLogarithmic ? 0.1 : 0), values.max() ?? 1)
        if isLogarithmic {
            low = pow(10, log10(least * 0.7).rounded(.down))
            high = max(pow(10, log10(most * 1.4).rounded(.up)), low * 10)
        } else {
            low = 0
            high = most > 0 ? most * 1.08 : 1
        }
    }

    /// 0 at the low end, 1 at the high end.
    func position(_ value: Double) -> Double {
        guard isLogarithmic else { return (value - low) / (high - low) }
        return (log10(max(value, low)) - log10(low)) / (log10(high) - log10(low))
    }

    /// Powers of ten, or about five round numbers.
    var ticks: [Double] {
        if isLogarithmic {
            let (first, last) = (Int(log10(low).rounded()), Int(log10(high).rounded()))
            let every = max(1, (last - first + 5) / 6)
            return stride(from: first, through: last, by: every).map { pow(10, Double($0)) }
        }
        let rough = high / 5
        let power = pow(10, log10(rough).rounded(.down))
        let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 >= rough } ?? rough
        return Array(stride(from: 0, through: high, by: step))
    }

    /// As many decimals as ticks need, and no more.
    static func label(_ value: Double) -> String {
        if value == 0 { return "0" }
        let text = String(format: "%.4g", value)
        guard text.contains("e") else { return text }
        return String(format: "%.0e", value).replacingOccurrences(of: "e-0", with: "e-").replacingOccurrences(
            of: "e+0", with: "e")
    }
}

/// A rectangle with axes.
struct PlotArea {
    let x: Double
    let y: Double
    let width: Double
    let height: Double
    let horizontal: PlotScale
    let vertical: PlotScale

    func point(_ across: Double, _ up: Double) -> (x: Double, y: Double) {
        (x + width * horizontal.position(across), y + height * (1 - vertical.position(up)))
    }

    /// Grid, axes, ticks and the names of both axes.
    func draw(on canvas: inout SVGCanvas, across: String, up: String, heading: String, ticks: [Double]? = nil) {
        canvas.text(heading, x, y - 10, kind: "heading")
        for tick in vertical.ticks {
            let at = point(horizontal.low, tick).y
            canvas.line(x, at, x + width, at, kind: "grid")
            canvas.text(PlotScale.label(tick), x - 7, at + 4, anchor: .end, kind: "tick")
        }
        for tick in ticks ?? horizontal.ticks {
            let at = point(tick, vertical.low).x
            canvas.line(at, y, at, y + height, kind: "grid")
            canvas.line(at, y + height, at, y + height + 4, kind: "axis")
            canvas.text(PlotScale.label(tick), at, y + height + 17, anchor: .middle, kind: "tick")
        }
        canvas.line(x, y, x, y + height, kind: "axis")
        canvas.line(x, y + height, x + width, y + height, kind: "axis")
        canvas.text(across, x + width / 2, y + height + 36, anchor: .middle)
        canvas.text(up, x - 52, y + height / 2, anchor: .middle, turned: true)
    }
}
