import Coordination
import Foundation
import Ledger
import Messages
import Worker

/// Takes a message and makes one of it for every number in it and every value at the edge of what a number can be:
/// in the header, in payloads that are JSON, at any depth, and in the list of payload lengths.
package enum EdgeNumbers {
    package static let values = [
        "-9223372036854775808", "9223372036854775807", "18446744073709551615", "-1", "0", "1", "9007199254740992",
        "4611686018427387904", "-0.5", "1e308", "-1e308", "1e999", "1e-320", "\"nan\"", "\"inf\"", "null",
    ]

    package static func variants(of frames: [[UInt8]]) throws -> [[[UInt8]]] {
        let envelope = try Envelope(frames: frames)
        var variants: [[[UInt8]]] = []
        for body in replacements(in: envelope.body) {
            var copy = envelope
            copy.body = body
            variants.append(try copy.frames())
        }
        for (position, payload) in envelope.payloads.enumerated() where isJSON(payload) {
            for changed in replacements(in: payload) {
                var copy = envelope
                copy.payloads[position] = changed
                variants.append(try copy.frames())
            }
        }
        for header in replacements(in: frames[4]) {
            var copy = frames
            copy[4] = header
            variants.append(copy)
        }
        return variants
    }

    private static func isJSON(_ bytes: [UInt8]) -> Bool {
        (try? JSONSerialization.jsonObject(with: Data(bytes))) != nil
    }

    /// The text with each of its numbers replaced in turn.
    package static func replacements(in json: [UInt8]) -> [[UInt8]] {
        numbers(in: json).flatMap { range in
            values.map { Array(json[..<range.lowerBound]) + Array($0.utf8) + Array(json[range.upperBound...]) }
        }
    }

    /// Where numbers stand, outside of strings.
    private static func numbers(in json: [UInt8]) -> [Range<Int>] {
        var (found, start): ([Range<Int>], Int?) = ([], nil)
        var (inString, escaped) = (false, false)
        for (position, byte) in json.enumerated() {
            let isPart = !inString && (UInt8(ascii: "-")...UInt8(ascii: "9")).contains(byte) && byte != 0x2F
            let isExponent = start != nil && [0x65, 0x45, 0x2B].contains(byte)
            if isPart || isExponent {
                start = start ?? position
                continue
            }
            if let begun = start { found.append(begun..<position) }
            start = nil
            if escaped {
                escaped = false
            } else if inString, byte == UInt8(ascii: "\\") {
                escaped = true
            } else if byte == UInt8(ascii: "\"") {
                inString.toggle()
            }
        }
        return found
    }
}
