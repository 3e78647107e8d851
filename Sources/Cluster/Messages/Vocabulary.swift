import LanguageModels
import Recommendation
import Unlearning

// Values of other rooms that messages are made of, for rooms that know messages and nothing else.
public typealias AggregationRule = LanguageModels.AggregationRule
public typealias AttentionScope = Unlearning.AttentionScope
public typealias ComparedCases = Unlearning.ComparedCases
public typealias ComparisonMethod = Unlearning.ComparisonMethod
public typealias ComparisonOptions = Unlearning.ComparisonOptions
public typealias ComparisonReport = Unlearning.ComparisonReport
public typealias EmbeddingSource = LanguageModels.EmbeddingSource
public typealias FailedCase = Unlearning.FailedCase
public typealias FoundCase = Unlearning.FoundCase
public typealias PlannedCase = Unlearning.PlannedCase
public typealias SampleAdaptiveAttention = Unlearning.SampleAdaptiveAttention
public typealias Split = Recommendation.Split
public typealias StageReport = Unlearning.StageReport
public typealias TrainingReport = Unlearning.TrainingReport
public typealias TrainingSpecification = Unlearning.TrainingSpecification
