// Base-2 logarithms in whole numbers: the C library's differ in the last bit between processors, and a file must not.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace chromapress {

/// The unit of bit costs: 1/64 bit.
inline constexpr std::uint32_t kBit = 64;

namespace detail {
// log2(1 + i / 1024) in 1/64 bit, by squaring: each square doubles the logarithm.
constexpr std::array<std::uint16_t, 1025> log2_table() {
  std::array<std::uint16_t, 1025> table{};
  for (std::size_t i = 0; i <= 1024; ++i) {
    double x = 1.0 + static_cast<double>(i) / 1024.0;
    std::uint32_t bits = 0;
    for (int digit = 0; digit < 10; ++digit) {
      bits *= 2;
      if (x >= 2.0) x /= 2.0, bits += 1;
      x *= x;
    }
    // Four digits more than the unit has, for rounding; x < 2 has been squared once too often.
    table[i] = static_cast<std::uint16_t>(i == 1024 ? kBit : (bits + 4) / 8);
  }
  return table;
}
inline constexpr std::array<std::uint16_t, 1025> kLog2 = log2_table();
}  // namespace detail

/// log2(n) in 1/64 bit, n >= 1.
constexpr std::uint32_t log2_bits(std::uint64_t n) {
  const auto whole = static_cast<std::uint32_t>(std::bit_width(n)) - 1;
  const std::uint64_t mantissa = whole > 10 ? n >> (whole - 10) : n << (10 - whole);
  return whole * kBit + detail::kLog2[mantissa - 1024];
}

}  // namespace chromapress
