import Foundation

/// Prometheus's text form, version 0.0.4.
struct PrometheusText {
    static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""

    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        let list = labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",")
        text += name + (list.isEmpty ? "" : "{\(list)}") + " " + Self.number(value) + "\n"
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        family(name, "gauge", help)
        sample(name, [], value)
    }

    mutating func counter(_ name: String, _ help: String, _ value: Double) {
        family(name, "counter", help)
        sample(name, [], value)
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }
}

extension PrometheusText {
    /// What the gateway counted of its own requests.
    mutating func add(_ counted: Metrics.Counted) {
        let requests = "lethe_gateway_http_requests_total"
        family(requests, "counter", "HTTP requests that were answered.")
        for (key, count) in counted.requests.sorted(by: { $0.key < $1.key }) {
            let labels = [("method", key.method), ("route", key.route), ("status", String(key.status))]
            sample(requests, labels, Double(count))
        }
        let duration = "lethe_gateway_http_request_duration_seconds"
        family(duration, "histogram", "Seconds from the head of a request to the head of its response.")
        for (route, histogram) in counted.durations.sorted(by: { $0.key < $1.key }) {
            for (bound, count) in zip(Metrics.Histogram.bounds, histogram.counts) {
                sample(duration + "_bucket", [("route", route), ("le", Self.number(bound))], Double(count))
            }
            sample(duration + "_bucket", [("route", route), ("le", "+Inf")], Double(histogram.count))
            sample(duration + "_sum", [("route", route)], histogram.sum)
            sample(duration + "_count", [("route", route)], Double(histogram.count))
        }
        gauge("lethe_gateway_connections", "Connections of clients.", Double(counted.connections.open))
        counter(
            "lethe_gateway_connections_displaced_total",
            "Connections that were closed because all places were taken and others came.",
            Double(counted.connections.displaced))
        counter(
            "lethe_gateway_answers_withheld_total",
            "Answers that were ready and did not go out: what they rest on was taken away, or the lease had run out.",
            Double(counted.withheld))
    }
}
