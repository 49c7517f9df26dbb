// swift-tools-version:5.9
import PackageDescription

// llama.cpp for the processor alone, as its own build sets it. Local packages may set flags: without -O3 a build for
// debugging answers a hundred times slower, and without the products of bytes a phone does so five times. Phones without
// these (before 2019) are refused when a model is opened; take -march away to serve them, slowly.
let flags = ["-O3", "-w"]
let arm = ["-Xarch_arm64", "-march=armv8.2-a+dotprod+fp16"]
let folders = ["llama.cpp/include", "llama.cpp/ggml/include", "llama.cpp/ggml/src", "llama.cpp/ggml/src/ggml-cpu", "llama.cpp/src"]
let defined = ["GGML_USE_CPU", "GGML_USE_CPU_REPACK", "NDEBUG"]

let package = Package(
    name: "EdgekitModel",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "EdgekitModel", targets: ["EdgekitModel"])],
    targets: [
        .target(
            name: "EdgekitModelNative",
            exclude: ["llama.cpp/LICENSE", "llama.cpp/ggml/src/ggml-cpu/arch", "llama.cpp/src/models"],
            cSettings: folders.map { .headerSearchPath($0) } + defined.map { .define($0) } + [
                .define("_GNU_SOURCE", .when(platforms: [.linux])),
                .define("_DARWIN_C_SOURCE", .when(platforms: [.iOS, .macOS])),
                .unsafeFlags(flags), .unsafeFlags(arm, .when(platforms: [.iOS])),
            ],
            cxxSettings: folders.map { .headerSearchPath($0) } + defined.map { .define($0) } + [
                .define("_GNU_SOURCE", .when(platforms: [.linux])),
                .define("_DARWIN_C_SOURCE", .when(platforms: [.iOS, .macOS])),
                .unsafeFlags(flags), .unsafeFlags(arm, .when(platforms: [.iOS])),
            ]
        ),
        .target(name: "EdgekitModel", dependencies: ["EdgekitModelNative"], resources: [.copy("Model")]),
        .testTarget(name: "EdgekitModelTests", dependencies: ["EdgekitModel"]),
    ],
    cxxLanguageStandard: .cxx17
)
