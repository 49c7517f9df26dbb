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
#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr uint32_t kMagic = 0x31434b45;  // "EKC1"
constexpr uint32_t kMostTensors = 4096, kMostAxes = 16, kLongestName = 4096;
constexpr uint64_t kMostBytes = uint64_t{1} << 32;

struct Tensor {
  std::string name;
  ONNXTensorElementDataType type{};
  std::vector<int64_t> shape;
  std::vector<char> data;
};

template <class T>
T number(std::istream& in) {
  T value{};
  if (!in.read(reinterpret_cast<char*>(&value), sizeof value)) throw std::runtime_error("the file of calls ends early");
  return value;
}

uint32_t count(std::istream& in, uint32_t most) {
  const auto value = number<uint32_t>(in);
  if (value > most) throw std::runtime_error("the file of calls is damaged");
  return value;
}

template <class T>
void put(std::ostream& out, T value) {
  out.write(reinterpret_cast<const char*>(&value), sizeof value);
}

Tensor read_tensor(std::istream& in) {
  Tensor tensor;
  tensor.name.resize(count(in, kLongestName));
  in.read(tensor.name.data(), static_cast<std::streamsize>(tensor.name.size()));
  tensor.type = static_cast<ONNXTensorElementDataType>(number<uint32_t>(in));
  tensor.shape.resize(count(in, kMostAxes));
  for (auto& axis : tensor.shape) axis = number<int64_t>(in);
  const auto bytes = number<uint64_t>(in);
  if (bytes > kMostBytes) throw std::runtime_error("the file of calls is damaged");
  tensor.data.resize(bytes);
  if (bytes && !in.read(tensor.data.data(), static_cast<std::streamsize>(bytes)))
    throw std::runtime_error("the file of calls ends early");
  return tensor;
}

size_t size_of(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      return 1;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return 2;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return 4;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return 8;
    default:
      throw std::runtime_error("a tensor has a type that this program does not know");
  }
}

void write_tensor(std::ostream& out, const std::string& name, const Ort::Value& value) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  const auto shape = info.GetShape();
  const uint64_t bytes = info.GetElementCount() * size_of(info.GetElementType());
  put<uint32_t>(out, static_cast<uint32_t>(name.size()));
  out.write(name.data(), static_cast<std::streamsize>(name.size()));
  put<uint32_t>(out, info.GetElementType());
  put<uint32_t>(out, static_cast<uint32_t>(shape.size()));
  for (const auto axis : shape) put<int64_t>(out, axis);
  put<uint64_t>(out, bytes);
  out.write(static_cast<const char*>(value.GetTensorRawData()), static_cast<std::streamsize>(bytes));
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
  if (number<uint32_t>(in) != kMagic) throw std::runtime_error("this is no file of calls");
  Ort::AllocatorWithDefaultOptions allocator;
  std::vector<std::string> names;
  for (size_t i = 0; i < session.GetOutputCount(); ++i)
    names.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
  std::vector<const char*> wanted;
  for (const auto& name : names) wanted.push_back(name.c_str());
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  const auto calls = count(in, kMostTensors);
  put(out, kMagic);
  put(out, calls);
  for (uint32_t call = 0; call < calls; ++call) {
    std::vector<Tensor> feeds(count(in, kMostTensors));
    std::vector<const char*> given;
    std::vector<Ort::Value> values;
    for (auto& feed : feeds) {
      feed = read_tensor(in);
      given.push_back(feed.name.c_str());
      values.push_back(Ort::Value::CreateTensor(memory, feed.data.data(), feed.data.size(), feed.shape.data(),
                                                feed.shape.size(), feed.type));
    }
    const auto answers = session.Run({}, given.data(), values.data(), values.size(), wanted.data(), wanted.size());
    put(out, static_cast<uint32_t>(answers.size()));
    for (size_t i = 0; i < answers.size(); ++i) write_tensor(out, names[i], answers[i]);
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
    out.close();
    if (!in || !out) throw std::runtime_error("a file of calls could not be read or written");
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf("{\"runtime\": \"%s\", \"peak\": %ld}\n", base->GetVersionString(), usage.ru_maxrss * 1024L);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
