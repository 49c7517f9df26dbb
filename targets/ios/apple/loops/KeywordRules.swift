import Foundation

/// How scores become events; an operating point in the bundle has the last word about the limit.
struct KeywordRules {
    let labels: [String]
    /// Looks whose scores are added.
    let smoothed: Int
    /// The largest sum that is no event.
    let limit: Int
    /// Looks after an event in which none can follow.
    let refractory: Int
    /// Samples until the first look, from a look to the next, and in a second.
    let first, hop, rate: Int

    init(_ facts: Facts) throws {
        let rules = try facts.object("rules"), frontend = try facts.object("frontend")
        rate = try frontend.int("rate")
        refractory = try rules.int("refractory")
        let declared: Int
        if facts.has("silence") {  // openWakeWord
            labels = try facts.texts("labels")
            smoothed = 1
            declared = Int((try rules.double("cutoff") * Double(KeywordJudge.steps)).rounded(.up)) - 1
            hop = try frontend.int("hop")
            first = try frontend.int("samples") - hop
        } else {  // words in the last second
            labels = Array(try facts.texts("labels").prefix(try rules.int("words")))
            smoothed = try rules.int("smoothed")
            declared = try rules.int("threshold") * smoothed
            let step = try frontend.int("step")
            hop = try rules.int("hop") * step
            first = try frontend.int("window") + (rules.int("frames") - 1) * step
        }
        let point = facts.has("operating_point") ? try facts.object("operating_point") : Facts([:])
        limit = point.has("limit") ? try point.int("limit") : declared
        guard (0...KeywordJudge.steps * smoothed).contains(limit) else {
            throw ModelError.damaged("the bundle's operating point has the limit \(limit)")
        }
    }
}
