import Foundation

/// A JSON object that is read with types. Whatever is missing or of another type is `ModelError.damaged`.
struct Facts {
    let members: [String: Any]

    init(_ members: [String: Any]) {
        self.members = members
    }

    init(json: Data) throws {
        guard let members = (try? JSONSerialization.jsonObject(with: json)) as? [String: Any] else {
            throw ModelError.damaged("the description is not a JSON object")
        }
        self.init(members)
    }

    func has(_ name: String) -> Bool { members[name] != nil && !(members[name] is NSNull) }

    func value<T>(_ name: String) throws -> T {
        guard let value = members[name] as? T else { throw ModelError.damaged("the description has no usable \(name)") }
        return value
    }

    func int(_ name: String) throws -> Int { try (value(name) as NSNumber).intValue }
    func double(_ name: String) throws -> Double { try (value(name) as NSNumber).doubleValue }
    func text(_ name: String) throws -> String { try value(name) }
    func texts(_ name: String) throws -> [String] { try value(name) }
    func ints(_ name: String) throws -> [Int] { try (value(name) as [NSNumber]).map(\.intValue) }
    func floats(_ name: String) throws -> [Float] { try (value(name) as [NSNumber]).map(\.floatValue) }
    func object(_ name: String) throws -> Facts { Facts(try value(name)) }
    func objects(_ name: String) throws -> [Facts] { try (value(name) as [[String: Any]]).map(Facts.init) }
}
