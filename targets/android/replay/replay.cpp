// Runs calls through ONNX models, on a phone or in an emulator of its processor. replay.h tells how it is started.
//
// LIBRARY is libonnxruntime.so, opened at run time: the program is built without it. CALLS and ANSWERS are of the form
// that targets/common/calls.py describes.

#define ORT_API_MANUAL_INIT
#include "replay.h"

#include <dlfcn.h>
#include <onnxruntime_cxx_api.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

calls::Tensor tensor_of(const std::string& name, const Ort::Value& value) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  const auto* data = static_cast<const char*>(value.GetTensorRawData());
  const uint64_t bytes = info.GetElementCount() * calls::size_of(info.GetElementType());
  return {name, static_cast<uint32_t>(info.GetElementType()), info.GetShape(),
          std::vector<char>(data, data + bytes)};
}

const OrtApiBase* open_library(const char* path) {
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);  // official builds report to their makers otherwise
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  const auto base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
  if (!base) throw std::runtime_error("the library has no OrtGetApiBase");
  const OrtApi* api = base()->GetApi(ORT_API_VERSION);
  if (!api) throw std::runtime_error(std::string("onnxruntime ") + base()->GetVersionString() + " is too old");
  Ort::InitApi(api);
  return base();
}

// The options are those of toolkit/formats/onnx/runner.py, but without an arena: on phones it is not measured.
Ort::Session open_model(const Ort::Env& env, const char* path, int threads) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads);
  options.SetInterOpNumThreads(1);
  options.AddConfigEntry("session.force_spinning_stop", "1");
  options.DisableCpuMemArena();
  options.DisableMemPattern();
  return Ort::Session(env, path, options);
}

class Part {
 public:
  static constexpr bool kRemembers = false;

  Part(const Ort::Env& env, const char* path, int threads) : session_(open_model(env, path, threads)) {
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < session_.GetOutputCount(); ++i)
      names_.emplace_back(session_.GetOutputNameAllocated(i, allocator).get());
  }

  void run(const replay::Call& feeds) {
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
    std::vector<const char*> fed, wanted;
    std::vector<Ort::Value> values;
    for (const auto& name : names_) wanted.push_back(name.c_str());
    for (const auto& feed : feeds) {
      auto& tensor = *feed.tensor;
      fed.push_back(feed.name.c_str());
      values.push_back(Ort::Value::CreateTensor(memory, tensor.data.data(), tensor.data.size(), tensor.shape.data(),
                                                tensor.shape.size(),
                                                static_cast<ONNXTensorElementDataType>(tensor.type)));
    }
    last_.clear();  // no more memory at once than an app needs that lets go of old answers
    last_ = session_.Run({}, fed.data(), values.data(), values.size(), wanted.data(), wanted.size());
  }

  std::vector<calls::Tensor> answers() const {
    std::vector<calls::Tensor> tensors;
    for (size_t i = 0; i < last_.size(); ++i) tensors.push_back(tensor_of(names_[i], last_[i]));
    return tensors;
  }

 private:
  Ort::Session session_;
  std::vector<std::string> names_;
  std::vector<Ort::Value> last_;
};

class Runtime {
 public:
  Runtime(const char* library, int threads)
      : base_(open_library(library)), env_(ORT_LOGGING_LEVEL_ERROR, "edgekit"), threads_(threads) {}
  Part open(const char* model) const { return Part(env_, model, threads_); }
  std::string version() const { return base_->GetVersionString(); }

 private:
  const OrtApiBase* base_;
  Ort::Env env_;
  int threads_;
};

}  // namespace

int main(int count, char** arguments) { return replay::main<Runtime>(count, arguments); }
