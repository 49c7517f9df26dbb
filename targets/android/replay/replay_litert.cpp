// Runs calls through .tflite files with LiteRT, on a phone or in an emulator of its processor. replay.h tells how it is
// started.
//
// LIBRARY is libLiteRt.so, opened at run time: the program is built without it. Tensors come and go in the file's own
// order and types, whatever they are called. Calls are made in order through one model, which keeps its state.

#include "replay.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// What is used of LiteRT's C interface (2.3), which no package brings headers of.
using Status = int;  // 0: it worked
using Handle = void*;
constexpr int kProcessor = 1, kHostMemory = 1, kRead = 0, kWrite = 1, kMostAxes = 8;

struct Layout {
  unsigned int rank : 7;
  unsigned int strided : 1;
  int32_t sizes[kMostAxes];
  uint32_t strides[kMostAxes];
};

struct TensorType {
  int32_t element;
  Layout layout;
};
static_assert(sizeof(TensorType) == 72, "the size that LiteRT promises");

struct Library {
  Status (*create_environment)(int, const void*, Handle*);
  Status (*create_model)(Handle environment, const char*, Handle*);
  Status (*create_options)(Handle*);
  Status (*set_accelerators)(Handle options, int);
  Status (*create_opaque)(const char* name, void* payload, void (*destroy)(void*), Handle*);
  Status (*add_opaque)(Handle options, Handle);
  Status (*compile)(Handle environment, Handle model, Handle options, Handle*);
  Status (*signature)(Handle model, size_t, Handle*);
  Status (*subgraph)(Handle signature, Handle*);
  Status (*count_of[2])(Handle subgraph, size_t*);
  Status (*tensor_of[2])(Handle subgraph, size_t, Handle*);
  Status (*signed_tensor[2])(Handle signature, size_t, Handle*);
  Status (*type_of)(Handle tensor, TensorType*);
  Status (*needs_of[2])(Handle compiled, size_t signature, size_t, Handle*);
  Status (*create_buffer)(Handle environment, const TensorType*, Handle needs, Handle*);
  Status (*create_sized)(Handle environment, int kind, const TensorType*, size_t, Handle*);
  void (*destroy_buffer)(Handle);
  Status (*lock)(Handle buffer, void**, int);
  Status (*unlock)(Handle buffer);
  Status (*run)(Handle compiled, size_t signature, size_t, Handle*, size_t, Handle*);
};

void check(Status status, const char* what) {
  if (status) throw std::runtime_error(std::string("LiteRT ") + what + " (status " + std::to_string(status) + ")");
}

Library open_library(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(dlerror());
  const auto find = [library](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
    if (!function) throw std::runtime_error(std::string("the library has no ") + name);
  };
  Library table{};
  find(table.create_environment, "LiteRtCreateEnvironment");
  find(table.create_model, "LiteRtCreateModelFromFile");
  find(table.create_options, "LiteRtCreateOptions");
  find(table.set_accelerators, "LiteRtSetOptionsHardwareAccelerators");
  find(table.create_opaque, "LiteRtCreateOpaqueOptions");
  find(table.add_opaque, "LiteRtAddOpaqueOptions");
  find(table.compile, "LiteRtCreateCompiledModel");
  find(table.signature, "LiteRtGetModelSignature");
  find(table.subgraph, "LiteRtGetSignatureSubgraph");
  find(table.count_of[0], "LiteRtGetNumSubgraphInputs");
  find(table.count_of[1], "LiteRtGetNumSubgraphOutputs");
  find(table.tensor_of[0], "LiteRtGetSubgraphInput");
  find(table.tensor_of[1], "LiteRtGetSubgraphOutput");
  find(table.signed_tensor[0], "LiteRtGetSignatureInputTensorByIndex");
  find(table.signed_tensor[1], "LiteRtGetSignatureOutputTensorByIndex");
  find(table.type_of, "LiteRtGetRankedTensorType");
  find(table.needs_of[0], "LiteRtGetCompiledModelInputBufferRequirements");
  find(table.needs_of[1], "LiteRtGetCompiledModelOutputBufferRequirements");
  find(table.create_buffer, "LiteRtCreateManagedTensorBufferFromRequirements");
  find(table.create_sized, "LiteRtCreateManagedTensorBuffer");
  find(table.destroy_buffer, "LiteRtDestroyTensorBuffer");
  find(table.lock, "LiteRtLockTensorBuffer");
  find(table.unlock, "LiteRtUnlockTensorBuffer");
  find(table.run, "LiteRtRunCompiledModel");
  return table;
}

// LiteRT's number of an element type as ONNX's.
uint32_t onnx_type(int32_t element) {
  switch (element) {
    case 1:
      return calls::kFloat;
    case 2:
      return calls::kInt32;
    case 3:
      return calls::kUint8;
    case 4:
      return calls::kInt64;
    case 6:
      return calls::kBool;
    case 9:
      return calls::kInt8;
    case 10:
      return calls::kHalf;
    case 11:
      return calls::kDouble;
    default:
      throw std::runtime_error("a tensor has a type that this program does not know");
  }
}

// An input or output of the file: its shape and type, where a signature has it, and the memory for it. An input with a
// free axis gets its memory with each call.
struct Place {
  uint32_t type{};
  std::vector<int64_t> shape;
  size_t bytes{}, index{};
  Handle buffer{};
  TensorType held{};
  bool free{};
};

class Part {
 public:
  static constexpr bool kRemembers = true;

  Part(const Library& library, Handle environment, const char* path, int threads)
      : library_(library), environment_(environment) {
    check(library.create_model(environment_, path, &model_), "refuses the model");
    Handle options{}, processor{};
    check(library.create_options(&options), "could not make options");
    check(library.set_accelerators(options, kProcessor), "could not set options");
    const auto payload = "num_threads = " + std::to_string(threads) + "\n";
    check(library.create_opaque("xnnpack", strdup(payload.c_str()), std::free, &processor), "could not make options");
    check(library.add_opaque(options, processor), "could not set options");
    check(library.compile(environment_, model_, options, &compiled_), "refuses the model");
    check(library.signature(model_, 0, &signature_), "finds no signature");
    check(library.subgraph(signature_, &subgraph_), "finds no graph");
    for (int side : {0, 1}) places_[side] = places(side);
  }

  void run(const replay::Call& feeds) {
    auto& inputs = places_[0];
    if (feeds.size() != inputs.size()) throw std::runtime_error("the model has another number of inputs");
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto& value = *feeds[i].tensor;
      if (inputs[i].free) fit(inputs[i], value);
      if (value.type != inputs[i].type || value.shape != inputs[i].shape || value.data.size() != inputs[i].bytes)
        throw std::runtime_error("\"" + feeds[i].name + "\" is not what the model's input " + std::to_string(i) + " is");
      void* memory{};
      check(library_.lock(inputs[i].buffer, &memory, kWrite), "lends no memory");
      std::memcpy(memory, value.data.data(), inputs[i].bytes);
      check(library_.unlock(inputs[i].buffer), "does not take memory back");
    }
    auto fed = by_index(inputs), taken = by_index(places_[1]);
    check(library_.run(compiled_, 0, fed.size(), fed.data(), taken.size(), taken.data()), "could not run the model");
  }

  std::vector<calls::Tensor> answers() const {
    std::vector<calls::Tensor> out;
    for (const auto& place : places_[1]) {
      void* memory{};
      check(library_.lock(place.buffer, &memory, kRead), "lends no memory");
      const auto* data = static_cast<const char*>(memory);
      out.push_back({std::to_string(out.size()), place.type, place.shape, std::vector<char>(data, data + place.bytes)});
      check(library_.unlock(place.buffer), "does not take memory back");
    }
    return out;
  }

 private:
  // A signature may have the tensors in another order than the file.
  std::vector<Place> places(int side) {
    size_t count{};
    check(library_.count_of[side](subgraph_, &count), "cannot count tensors");
    std::vector<Place> ends(count);
    for (size_t i = 0; i < count; ++i) {
      Handle tensor{}, other{}, needs{};
      check(library_.tensor_of[side](subgraph_, i, &tensor), "finds no tensor");
      while (check(library_.signed_tensor[side](signature_, ends[i].index, &other), "finds no tensor"), other != tensor)
        ++ends[i].index;
      TensorType type{};
      check(library_.type_of(tensor, &type), "knows no shape");
      ends[i].type = onnx_type(type.element);
      ends[i].bytes = calls::size_of(ends[i].type);
      for (unsigned axis = 0; axis < type.layout.rank; ++axis) {
        const int32_t size = type.layout.sizes[axis];
        ends[i].free = ends[i].free || size < 0;
        ends[i].shape.push_back(size);
        ends[i].bytes *= static_cast<size_t>(size);
      }
      ends[i].held = type;
      if (ends[i].free && side == 0) continue;
      if (ends[i].free) throw std::runtime_error("an output has a dynamic axis, which this program does not know");
      check(library_.needs_of[side](compiled_, 0, ends[i].index, &needs), "tells no size");
      check(library_.create_buffer(environment_, &type, needs, &ends[i].buffer), "has no memory");
    }
    return ends;
  }

  // Memory for an input whose axes marked -1 have the sizes of `value`; LiteRT follows the shape that the memory has.
  void fit(Place& place, const calls::Tensor& value) {
    if (value.shape.size() != place.shape.size()) return;  // refused by who asks
    if (place.buffer && value.shape == place.shape) return;
    TensorType type = place.held;
    place.bytes = calls::size_of(place.type);
    for (size_t axis = 0; axis < value.shape.size(); ++axis) {
      int32_t& size = type.layout.sizes[axis];
      if (size < 0) size = static_cast<int32_t>(value.shape[axis]);
      place.shape[axis] = size;
      place.bytes *= static_cast<size_t>(size);
    }
    if (place.buffer) library_.destroy_buffer(place.buffer);
    check(library_.create_sized(environment_, kHostMemory, &type, place.bytes, &place.buffer), "has no memory");
  }

  static std::vector<Handle> by_index(const std::vector<Place>& places) {
    std::vector<Handle> buffers(places.size());
    for (const auto& place : places) buffers.at(place.index) = place.buffer;
    return buffers;
  }

  Library library_;
  Handle environment_{}, model_{}, compiled_{}, signature_{}, subgraph_{};
  std::vector<Place> places_[2];
};

class Runtime {
 public:
  Runtime(const char* library, int threads) : library_(open_library(library)), threads_(threads) {
    check(library_.create_environment(0, nullptr, &environment_), "could not start");
  }
  Part open(const char* model) const { return Part(library_, environment_, model, threads_); }
  std::string version() const { return ""; }  // the library does not tell

 private:
  Library library_;
  Handle environment_{};
  int threads_;
};

}  // namespace

int main(int count, char** arguments) { return replay::main<Runtime>(count, arguments); }
