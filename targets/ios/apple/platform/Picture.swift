#if canImport(CoreGraphics)
    import CoreGraphics

    extension Pixels {
        /// The pixels of a picture that is upright already, in sRGB; transparency is laid on black.
        public init(_ picture: CGImage) throws {
            let width = picture.width, height = picture.height
            var bytes = [UInt8](repeating: 0, count: width * height * 4)
            let drawn = bytes.withUnsafeMutableBytes { room -> Bool in
                guard let space = CGColorSpace(name: CGColorSpace.sRGB),
                    let context = CGContext(
                        data: room.baseAddress, width: width, height: height, bitsPerComponent: 8,
                        bytesPerRow: width * 4, space: space, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
                else { return false }
                context.draw(picture, in: CGRect(x: 0, y: 0, width: width, height: height))
                return true
            }
            guard drawn else { throw ModelError.badInput("the picture cannot be drawn") }
            var rgb: [UInt8] = []
            rgb.reserveCapacity(width * height * 3)
            for at in stride(from: 0, to: bytes.count, by: 4) {
                rgb += bytes[at..<at + 3]
            }
            try self.init(rgb: rgb, height: height, width: width)
        }
    }
#endif
