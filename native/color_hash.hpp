// A hash table from colours to values: open addressing, linear probing, grows by doubling.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "color.hpp"

namespace chromapress {

template <typename Value>
class ColorHash {
 public:
  ColorHash() : slots_(kFirstSize) {}

  /// The value of a colour, value-initialised when it is new; `*is_new` tells which.
  Value& operator()(std::uint32_t key, bool* is_new = nullptr) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    Slot& slot = find(slots_, key);
    if (is_new != nullptr) *is_new = !slot.used;
    if (!slot.used) {
      slot = {key, true, Value{}};
      ++size_;
    }
    return slot.value;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.used) visit(slot.key, slot.value);
    }
  }

 private:
  struct Slot {
    std::uint32_t key = 0;
    bool used = false;
    Value value{};
  };
  static constexpr std::size_t kFirstSize = 1024;

  static Slot& find(std::vector<Slot>& slots, std::uint32_t key) {
    const std::size_t mask = slots.size() - 1;
    // Fibonacci hashing: the high bits of a product with 2^32 / golden ratio.
    const std::uint32_t hash = key * 2654435769u;
    std::size_t i = hash >> (32 - std::countr_zero(slots.size()));
    while (slots[i].used && slots[i].key != key) i = (i + 1) & mask;
    return slots[i];
  }

  void grow() {
    std::vector<Slot> larger(2 * slots_.size());
    for (const Slot& slot : slots_) {
      if (slot.used) find(larger, slot.key) = slot;
    }
    slots_.swap(larger);
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace chromapress
