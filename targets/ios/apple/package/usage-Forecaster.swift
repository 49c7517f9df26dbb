let forecaster = try await Forecaster()
print(try await forecaster.forecast(series).median) // [Double]; gaps are NaN
