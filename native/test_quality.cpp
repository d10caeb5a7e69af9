#include <cmath>
#include <stdexcept>

#include "check.hpp"
#include "quality.hpp"
#include "sample.hpp"

using namespace chromapress;

int main() {
  for (const std::size_t channels : {3u, 4u}) {
    const auto a = sample::image(40, 30, channels, 1), b = sample::image(40, 30, channels, 2);
    const Pixels first = sample::pixels(a, 40, channels), second = sample::pixels(b, 40, channels);
    CHECK(std::isinf(psnr(first, first)));
    CHECK(std::abs(ssim(first, first) - 1) < 1e-12);
    CHECK(psnr(first, second) == psnr(second, first));
    CHECK(ssim(first, second) < 1);
    CHECK_THROWS(psnr(first, sample::pixels(b, 30, channels)));
    CHECK_THROWS(ssim(first, sample::pixels(b, 30, channels)));
  }
  // One level everywhere: 20 log10(255).
  const std::vector<std::uint8_t> zeros(300, 0), ones(300, 1);
  CHECK(std::abs(psnr(sample::pixels(zeros, 10, 3), sample::pixels(ones, 10, 3)) - 48.130803608679) < 1e-9);
}
