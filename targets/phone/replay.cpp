// Runs the calls of a file through one ONNX model, on a phone or in an emulator of its processor.
//
//   replay LIBRARY MODEL THREADS CALLS ANSWERS
//
// LIBRARY is libonnxruntime.so, opened at run time: the program is built without it. CALLS and ANSWERS are of the form
// that targets/_calls.py describes. At the end one line of JSON tells the runtime's version and the peak of memory.
// Exit status: 0, or 2 with the reason on standard error.

#define ORT_API_MANUAL_INIT
#include <dlfcn.h>
#include <onnxruntime_cxx_api.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "calls.h"

namespace {

calls::Tensor tensor_of(const std::string& name, const Ort::Value& value) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  const auto* data = static_cast<const char*>(value.GetTensorRawData());
  const uint64_t bytes = info.GetElementCount() * calls::size_of(info.GetElementType());
  return {name, static_cast<uint32_t>(info.GetElementType()), info.GetShape(),
          std::vector<char>(data, data + bytes)};
}

const OrtApiBase* open_library(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  const auto base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
  if (!base) throw std::runtime_error("the library has no OrtGetApiBase");
  const OrtApi* api = base()->GetApi(ORT_API_VERSION);
  if (!api) throw std::runtime_error(std::string("onnxruntime ") + base()->GetVersionString() + " is too old");
  Ort::InitApi(api);
  return base();
}

// The options are those of exporters/_onnx_runner.py.
Ort::Session open_model(const Ort::Env& env, const char* path, int threads) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads);
  options.SetInterOpNumThreads(1);
  options.DisableCpuMemArena();
  options.DisableMemPattern();
  return Ort::Session(env, path, options);
}

void replay(Ort::Session& session, std::istream& in, std::ostream& out) {
  Ort::AllocatorWithDefaultOptions allocator;
  std::vector<std::string> names;
  for (size_t i = 0; i < session.GetOutputCount(); ++i)
    names.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
  std::vector<const char*> wanted;
  for (const auto& name : names) wanted.push_back(name.c_str());
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  const auto asked = calls::begin(in, out);
  for (uint32_t call = 0; call < asked; ++call) {
    auto feeds = calls::read(in);
    std::vector<const char*> given;
    std::vector<Ort::Value> values;
    for (auto& feed : feeds) {
      given.push_back(feed.name.c_str());
      values.push_back(Ort::Value::CreateTensor(memory, feed.data.data(), feed.data.size(), feed.shape.data(),
                                                feed.shape.size(), static_cast<ONNXTensorElementDataType>(feed.type)));
    }
    const auto answers = session.Run({}, given.data(), values.data(), values.size(), wanted.data(), wanted.size());
    std::vector<calls::Tensor> told;
    for (size_t i = 0; i < answers.size(); ++i) told.push_back(tensor_of(names[i], answers[i]));
    calls::write(out, told);
  }
}

}  // namespace

int main(int count_of_arguments, char** arguments) {
  if (count_of_arguments != 6) {
    std::fprintf(stderr, "usage: replay LIBRARY MODEL THREADS CALLS ANSWERS\n");
    return 2;
  }
  try {
    const OrtApiBase* base = open_library(arguments[1]);
    Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "edgekit");
    auto session = open_model(env, arguments[2], std::atoi(arguments[3]));
    std::ifstream in(arguments[4], std::ios::binary);
    std::ofstream out(arguments[5], std::ios::binary);
    replay(session, in, out);
    calls::end(in, out);
    calls::tell(base->GetVersionString());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
