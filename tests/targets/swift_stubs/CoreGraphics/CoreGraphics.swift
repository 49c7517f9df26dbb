// What our packages use of Core Graphics, with the signatures that Apple documents. Nothing here draws.

@_exported import Foundation  // CGRect is Core Graphics' own there

open class CGImage {
    open var width: Int { fatalError("a stub") }
    open var height: Int { fatalError("a stub") }
}

open class CGColorSpace {
    public static let sRGB = "sRGB"

    public init?(name: String) {}
}

public enum CGImageAlphaInfo: UInt32, Sendable {
    case none, premultipliedLast, premultipliedFirst, last, first, noneSkipLast, noneSkipFirst, alphaOnly
}

open class CGContext {
    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
        space: CGColorSpace, bitmapInfo: UInt32
    ) {}

    open func draw(_ image: CGImage, in rect: CGRect) {}
}
