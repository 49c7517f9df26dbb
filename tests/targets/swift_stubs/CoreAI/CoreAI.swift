// Core AI is several modules under one name.

@_exported import CoreAIDelegates
@_exported import CoreAIRuntime
