// swift-tools-version: 6.0
import PackageDescription

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
    ],
    targets: [
        .systemLibrary(name: "CZeroMQ"),
        // Hides the differences between oneDNN 2.x and 3.x behind one small C interface.
        .target(name: "COneDNN", cSettings: [.unsafeFlags(["-O3"])], linkerSettings: [.linkedLibrary("dnnl")]),
        // Element-wise and attention kernels, dispatched at run time to what the CPU has; optimised in debug builds too.
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3", "-ffp-contract=off"])]),
        .target(name: "ZeroMQ", dependencies: ["CZeroMQ"]),
        .target(name: "Compute", dependencies: ["COneDNN", "CKernels"]),
        .target(name: "LanguageModels", dependencies: ["Compute", .product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "Recommendation", dependencies: [.product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "Unlearning", dependencies: ["Compute", "LanguageModels", "Recommendation"]),
        .target(
            name: "Cluster",
            dependencies: [
                "ZeroMQ", "Compute", "Unlearning", "LanguageModels", "Recommendation",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        .executableTarget(
            name: "lethe",
            dependencies: [
                "Cluster",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .testTarget(name: "ZeroMQTests", dependencies: ["ZeroMQ"]),
        .testTarget(name: "ComputeTests", dependencies: ["Compute"]),
        .testTarget(name: "LanguageModelsTests", dependencies: ["LanguageModels"], resources: [.copy("Fixtures")]),
        .testTarget(name: "RecommendationTests", dependencies: ["Recommendation"], resources: [.copy("Fixtures")]),
        .testTarget(
            name: "UnlearningTests",
            dependencies: ["Unlearning", .product(name: "Crypto", package: "swift-crypto")], exclude: ["Fixtures"]),
        .testTarget(
            name: "ClusterTests",
            dependencies: ["Cluster", "Compute", "ZeroMQ", .product(name: "Logging", package: "swift-log")]),
        // Real processes of the real command.
        .testTarget(name: "ProcessTests", dependencies: ["lethe", "ZeroMQ"]),
    ],
    swiftLanguageModes: [.v6]
)
