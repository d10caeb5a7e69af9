// Vectors whose elements are written before they are read: nothing sets them to 0 first, and the threads that write
// them share the work of having their memory from the kernel.
#pragma once

#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace chromapress {

template <typename T>
struct UnsetAllocator : std::allocator<T> {
  template <typename U>
  struct rebind {
    using other = UnsetAllocator<U>;
  };
  template <typename U>
  void construct(U*) noexcept {
    static_assert(std::is_trivially_copyable_v<U>);  // its life begins with the memory's
  }
  template <typename U, typename... Values>
  void construct(U* at, Values&&... values) {
    ::new (static_cast<void*>(at)) U(std::forward<Values>(values)...);
  }
};

template <typename T>
using UnsetVector = std::vector<T, UnsetAllocator<T>>;

}  // namespace chromapress
