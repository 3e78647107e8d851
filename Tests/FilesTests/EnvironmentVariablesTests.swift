import Files
import Testing

@Suite("Variables of an environment")
struct EnvironmentVariablesTests {
    @Test func `One that is set to nothing counts as not set`() {
        let environment = ["EMPTY": "", "BLANK": " ", "SET": "debug"]
        #expect(environment.variable("EMPTY") == nil && environment.variable("MISSING") == nil)
        #expect(environment.variable("BLANK") == " " && environment.variable("SET") == "debug")
    }
}
