// swift-tools-version: 6.0
import PackageDescription

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
// ChaCha20 without an authenticator.
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let database: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "lethe",
    products: [
        .executable(name: "lethe", targets: ["lethe"])
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CZeroMQ"),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CZstd"),
        // Hides the differences between oneDNN 2.x and 3.x behind one small C interface.
        .target(name: "COneDNN", cSettings: [.unsafeFlags(["-O3"])], linkerSettings: [.linkedLibrary("dnnl")]),
        // Element-wise and attention kernels, dispatched at run time to what the CPU has; optimised in debug builds too.
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3", "-ffp-contract=off"])]),
        .target(name: "ZeroMQ", dependencies: ["CZeroMQ"]),
        .target(name: "Compute", dependencies: ["COneDNN", "CKernels"]),
        .target(name: "Files", dependencies: [crypto]),
        .target(name: "LanguageModels", dependencies: ["Compute", "Files", crypto]),
        .target(name: "Recommendation", dependencies: ["Files", "CZlib", "CZstd", crypto, cryptoExtras]),
        .target(name: "Unlearning", dependencies: ["Compute", "Files", "LanguageModels", "Recommendation", crypto]),
        .target(
            name: "Experiments", dependencies: ["Compute", "Files", "LanguageModels", "Recommendation", "Unlearning"]),
        // A cluster's rooms: each may name only those above it.
        .target(
            name: "Messages", dependencies: ["Files", "LanguageModels", "Recommendation", "Unlearning", crypto],
            path: "Sources/Cluster/Messages"),
        .target(
            name: "Ledger",
            dependencies: [
                "Messages", "Files", "LanguageModels", "Recommendation", "Unlearning", "CZlib", database, crypto,
            ],
            path: "Sources/Cluster/Ledger",
            // Its tests look at bytes of records and of staged files, which nobody else may; they run on the release build.
            swiftSettings: [.unsafeFlags(["-enable-testing"])]),
        // The coordinator's logic, a value without input and output.
        .target(
            name: "Coordination", dependencies: ["Messages"],
            path: "Sources/Cluster/Coordination"),
        .target(
            name: "Serving", dependencies: ["Messages", "LanguageModels", "Recommendation", "Unlearning", crypto],
            path: "Sources/Cluster/Serving"),
        .target(
            name: "Service",
            dependencies: [
                "Messages", "Ledger", "Coordination", "Serving", "Files", "LanguageModels", "Recommendation",
                "Unlearning", "ZeroMQ", logging, crypto,
            ],
            path: "Sources/Cluster/Service"),
        .target(
            name: "Worker",
            dependencies: [
                "Messages", "Experiments", "Files", "Compute", "LanguageModels", "Recommendation", "Unlearning",
                "ZeroMQ",
                logging, crypto,
            ],
            path: "Sources/Cluster/Worker"),
        .target(
            name: "Client", dependencies: ["Messages", "Files", "ZeroMQ"], path: "Sources/Cluster/Client"),
        // HTTP before the coordinator.
        .target(
            name: "Gateway",
            dependencies: [
                "Client", "Serving", "Messages", "Files", "LanguageModels", "Recommendation", "Unlearning", "ZeroMQ",
                logging,
                crypto, lifecycle,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            // Part of the program: it is one file, wherever it is put.
            resources: [
                .embedInCode("Dashboard/dashboard.html"), .embedInCode("Dashboard/dashboard.js"),
                .embedInCode("Dashboard/dashboard.css"), .embedInCode("Documents/openapi.json"),
            ],
            // Its tests ask the inside without sockets; they run on the release build.
            swiftSettings: [.unsafeFlags(["-enable-testing"])]),
        .executableTarget(
            name: "lethe",
            dependencies: [
                "Client", "Gateway", "Service", "Worker", "Ledger", "Messages", "Experiments", "Unlearning",
                "Recommendation", "LanguageModels", "Compute", "Files", "ZeroMQ", logging,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .target(name: "PeerTestSupport", path: "Tests/Support/Peers"),
        .testTarget(name: "ZeroMQTests", dependencies: ["ZeroMQ", "PeerTestSupport"]),
        .testTarget(name: "ComputeTests", dependencies: ["Compute"]),
        .testTarget(name: "FilesTests", dependencies: ["Files", crypto]),
        .testTarget(
            name: "LanguageModelsTests", dependencies: ["LanguageModels", "Files"], resources: [.copy("Fixtures")]),
        .testTarget(
            name: "RecommendationTests", dependencies: ["Recommendation", "CZlib", "CZstd", crypto],
            resources: [.copy("Fixtures")]),
        .target(
            name: "TrainingTestSupport",
            dependencies: ["Compute", "LanguageModels", "Recommendation", "Unlearning"], path: "Tests/Support/Training"),
        .testTarget(
            name: "UnlearningTests", dependencies: ["Unlearning", "TrainingTestSupport", crypto], exclude: ["Fixtures"]),
        .testTarget(name: "ExperimentsTests", dependencies: ["Experiments", "TrainingTestSupport"]),
        .target(
            name: "ClusterTestSupport",
            dependencies: ["Coordination", "Ledger", "Messages", "Worker", "Compute", "ZeroMQ", logging, crypto],
            path: "Tests/Support/Cluster"),
        .testTarget(name: "MessagesTests", dependencies: ["Messages", "ClusterTestSupport"]),
        .testTarget(
            name: "LedgerTests", dependencies: ["Ledger", "ClusterTestSupport", crypto], resources: [.copy("Fixtures")]),
        .testTarget(
            name: "CoordinationTests", dependencies: ["Coordination", "ClusterTestSupport"], exclude: ["Transcripts"]),
        .testTarget(name: "WorkerTests", dependencies: ["Worker", "ClusterTestSupport", "PeerTestSupport", "ZeroMQ"]),
        // What only several rooms together show.
        .testTarget(
            name: "ClusterTests",
            dependencies: [
                "Coordination", "Ledger", "Serving", "Service", "Worker", "Client", "Experiments", "ClusterTestSupport",
                "TrainingTestSupport", "ZeroMQ",
            ]),
        .testTarget(
            name: "ServingTests",
            dependencies: [
                "Serving", "Messages", "LanguageModels", "Recommendation", "Unlearning", "TrainingTestSupport",
            ]),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "Gateway", "Messages", "Recommendation", "Serving", "ZeroMQ", logging,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
            ]),
        // Real processes of the real command.
        .testTarget(
            name: "ProcessTests",
            dependencies: [
                "lethe", "LanguageModels", "Ledger", "Messages", "Service", "Unlearning", "ZeroMQ", "PeerTestSupport",
                logging,
            ]),
    ],
    swiftLanguageModes: [.v6]
)
