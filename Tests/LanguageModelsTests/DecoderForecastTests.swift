import LanguageModels
import Testing

@Suite("What a decoder will take")
struct DecoderForecastTests {
    private static func model(layers: Int, hidden: Int) -> ModelConfiguration {
        ModelConfiguration(
            family: .llama, vocabulary: 1000, hidden: hidden, layers: layers, heads: hidden / 64,
            keyValueHeads: hidden / 64, headDimension: 64, intermediate: 3 * hidden, context: 2048, ropeTheta: 10000,
            rmsNormEpsilon: 1e-6, tiedEmbeddings: true, attentionBias: false)
    }

    @Test("Weights are counted forward and backward, at what the precision takes")
    func weights() throws {
        let shape = Self.model(layers: 4, hidden: 256)
        let forecast = try DecoderForecast(model: shape, precision: .f32, threads: 1)
        let frozen = 4 * (4 * 256 * 256 + 3 * 256 * 768)
        let plain = 4 * (2 * frozen + 1000 * 256)
        #expect(Double(forecast.weightBytes) > Double(plain) && Double(forecast.weightBytes) < 1.1 * Double(plain))
        #expect(forecast.operationsOfToken == Double(2 * 2 * frozen))
    }

    @Test("Twice the layers take twice the weights of the layers and more activations; threads take scratch space")
    func grows() throws {
        let one = try DecoderForecast(model: Self.model(layers: 2, hidden: 256), precision: .f32, threads: 1)
        let two = try DecoderForecast(model: Self.model(layers: 4, hidden: 256), precision: .f32, threads: 1)
        let threads = try DecoderForecast(model: Self.model(layers: 2, hidden: 256), precision: .f32, threads: 4)
        #expect(two.operationsOfToken == 2 * one.operationsOfToken)
        #expect(two.trainingBytes > one.trainingBytes && threads.trainingBytes > one.trainingBytes)
        #expect(threads.weightBytes == one.weightBytes)
    }

    @Test("The speed of the products is measured, and is less for a larger model")
    func speed() throws {
        let small = try DecoderForecast(model: Self.model(layers: 2, hidden: 128), precision: .f32, threads: 1)
        let large = try DecoderForecast(model: Self.model(layers: 4, hidden: 512), precision: .f32, threads: 1)
        let speeds = try (small.measuredTokensPerSecond(seconds: 0.05), large.measuredTokensPerSecond(seconds: 0.05))
        #expect(speeds.0.isFinite && speeds.1 > 0 && speeds.0 > 4 * speeds.1)
    }
}
