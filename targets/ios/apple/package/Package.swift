// swift-tools-version:5.9
import PackageDescription

let package = Package(
    name: "EdgekitModel",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "EdgekitModel", targets: ["EdgekitModel"])],
    targets: [
        .systemLibrary(name: "EdgekitModelZip"),
        .target(name: "EdgekitModel", dependencies: ["EdgekitModelZip"], resources: [.copy("Model")]),
        .testTarget(name: "EdgekitModelTests", dependencies: ["EdgekitModel"]),
    ]
)
