// Where bytes repeat earlier ones nearly: where matches may begin that need not be exact.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace chromapress {

/// Of the bytes at a position, three of the first six, those of one of kPatterns, are those at what is found. A match
/// there may differ in the other places, and after them.
class NearRepeats {
 public:
  static constexpr std::array<std::array<std::size_t, 3>, 6> kPatterns = {
      {{0, 1, 2}, {0, 1, 3}, {0, 2, 3}, {1, 2, 3}, {0, 2, 4}, {1, 3, 5}}};
  static constexpr std::size_t kLongest = 6;

  /// `looks`: how many earlier positions are looked at for each pattern. `data` may change where nothing was added yet.
  NearRepeats(std::span<const std::uint8_t> data, std::size_t looks);
  /// Makes the positions before `end` known, in their order. Inside a run of one byte none is.
  void add(std::size_t end);
  /// The distances from `at`, up to kWindow, to known positions that are alike: for each pattern the nearest ones.
  void find(std::size_t at, std::vector<std::size_t>& distances) const;

 private:
  struct Chains {
    std::vector<std::uint32_t> heads, previous;  // positions plus 1; 0 is none
  };

  std::span<const std::uint8_t> data_;
  std::size_t looks_;
  std::size_t added_ = 0;
  std::array<Chains, kPatterns.size()> chains_;
};

}  // namespace chromapress
