import Foundation
import HTTPTypes
import Hummingbird

/// The dashboard and the description of the interface, as they lie in this folder; they are part of the program.
struct PageRoutes {
    var routes: [Route] {
        [
            Self.file("/", "text/html; charset=utf-8", PackageResources.dashboard_html),
            Self.file("/dashboard.js", "text/javascript; charset=utf-8", PackageResources.dashboard_js),
            Self.file("/dashboard.css", "text/css; charset=utf-8", PackageResources.dashboard_css),
            Self.file("/openapi.json", "application/json", PackageResources.openapi_json),
        ]
    }

    /// Nothing but this gateway's own files, and nothing inside the page that runs.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

    private static func file(_ path: String, _ mediaType: String, _ bytes: [UInt8]) -> Route {
        Route(method: .get, path: path, access: .open, query: nil) { _ in
            var headers: HTTPFields = [.contentSecurityPolicy: policy]
            if let name = HTTPField.Name("Referrer-Policy") { headers[name] = "no-referrer" }
            return Response(.ok, mediaType, Data(bytes), headers)
        }
    }
}
