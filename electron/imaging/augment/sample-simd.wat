(module
  (memory (export "memory") 1)

  ;; Three planes of $count bytes to pixels of four bytes, the last of them 0. Works on 16 pixels at a time: reads and
  ;; writes up to 15 pixels too far.
  (func (export "interleave") (param $planes i32) (param $count i32) (param $pixels i32)
    (local $end i32) (local $blues i32)
    (local $red v128) (local $green v128) (local $blue v128)
    (local $low v128) (local $high v128) (local $lowBlue v128) (local $highBlue v128)
    (local.set $end (i32.add (local.get $planes) (local.get $count)))
    (local.set $blues (i32.shl (local.get $count) (i32.const 1)))
    (loop $some
      (local.set $red (v128.load (local.get $planes)))
      (local.set $green (v128.load (i32.add (local.get $planes) (local.get $count))))
      (local.set $blue (v128.load (i32.add (local.get $planes) (local.get $blues))))
      (local.set $low (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get $red) (local.get $green)))
      (local.set $high (i8x16.shuffle 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31 (local.get $red) (local.get $green)))
      (local.set $lowBlue (i16x8.extend_low_i8x16_u (local.get $blue)))
      (local.set $highBlue (i16x8.extend_high_i8x16_u (local.get $blue)))
      (v128.store (local.get $pixels)
        (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $low) (local.get $lowBlue)))
      (v128.store offset=16 (local.get $pixels)
        (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $low) (local.get $lowBlue)))
      (v128.store offset=32 (local.get $pixels)
        (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $high) (local.get $highBlue)))
      (v128.store offset=48 (local.get $pixels)
        (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $high) (local.get $highBlue)))
      (local.set $pixels (i32.add (local.get $pixels) (i32.const 64)))
      (br_if $some
        (i32.lt_u (local.tee $planes (i32.add (local.get $planes) (i32.const 16))) (local.get $end)))))

  ;; $numbers: f64 pairs (x, y) in 1/16384 of a pixel: step along a row, step to the next row, place of the first pixel,
  ;; last place, least and most of what is not outside; then f32 quadruples (red, green, blue, unused): what red, green
  ;; and blue give, offset, gain, bias, fill.
  (func (export "sample")
    (param $pixels i32) (param $stride i32) (param $width i32) (param $height i32) (param $numbers i32)
    (param $red i32) (param $green i32) (param $blue i32)
    (local $x i32) (local $y i32) (local $wx i32) (local $wy i32) (local $w01 i32) (local $w10 i32) (local $w11 i32)
    (local $at i32)
    (local $step v128) (local $down v128) (local $start v128) (local $last v128) (local $place v128)
    (local $fromRed v128) (local $fromGreen v128) (local $fromBlue v128)
    (local $offset v128) (local $gain v128) (local $bias v128) (local $fill v128)
    (local $least v128) (local $most v128) (local $outside v128) (local $sum v128)
    (local.set $step (v128.load (local.get $numbers)))
    (local.set $down (v128.load offset=16 (local.get $numbers)))
    (local.set $start (v128.load offset=32 (local.get $numbers)))
    (local.set $last (v128.load offset=48 (local.get $numbers)))
    (local.set $least (v128.load offset=64 (local.get $numbers)))
    (local.set $most (v128.load offset=80 (local.get $numbers)))
    (local.set $fromRed (v128.load offset=96 (local.get $numbers)))
    (local.set $fromGreen (v128.load offset=112 (local.get $numbers)))
    (local.set $fromBlue (v128.load offset=128 (local.get $numbers)))
    (local.set $offset (v128.load offset=144 (local.get $numbers)))
    (local.set $gain (v128.load offset=160 (local.get $numbers)))
    (local.set $bias (v128.load offset=176 (local.get $numbers)))
    (local.set $fill (v128.load offset=192 (local.get $numbers)))
    (loop $row
      (local.set $place
        (f64x2.add
          (f64x2.mul (local.get $down) (f64x2.splat (f64.convert_i32_u (local.get $y))))
          (local.get $start)))
      (local.set $x (local.get $width))
      (loop $pixel
        ;; Kept inside and rounded to a whole number, which then stands in the lower half of the 64 bits: 1.5 · 2^52 has no
        ;; room for fractions.
        (local.set $sum
          (f64x2.add
            (f64x2.pmin (local.get $last) (f64x2.pmax (v128.const f64x2 0 0) (local.get $place)))
            (v128.const f64x2 6755399441055744 6755399441055744)))
        (local.set $outside
          (v128.or
            (f64x2.lt (local.get $place) (local.get $least))
            (f64x2.gt (local.get $place) (local.get $most))))
        (local.set $place (f64x2.add (local.get $place) (local.get $step)))
        (local.set $wx (i32x4.extract_lane 0 (local.get $sum)))
        (local.set $wy (i32x4.extract_lane 2 (local.get $sum)))
        (local.set $at
          (i32.add (local.get $pixels)
            (i32.add
              (i32.mul (i32.shr_u (local.get $wy) (i32.const 14)) (local.get $stride))
              (i32.shl (i32.shr_u (local.get $wx) (i32.const 14)) (i32.const 2)))))
        (local.set $wx (i32.and (local.get $wx) (i32.const 16383)))
        (local.set $wy (i32.and (local.get $wy) (i32.const 16383)))
        (local.set $w11
          (i32.shr_u
            (i32.add (i32.mul (local.get $wx) (local.get $wy)) (i32.const 8192))
            (i32.const 14)))
        (local.set $w10 (i32.sub (local.get $wy) (local.get $w11)))
        (local.set $w01 (i32.sub (local.get $wx) (local.get $w11)))
        ;; Two pixels beside each other, channel by channel, times their two weights; the same one row below.
        (local.set $sum
          (f32x4.convert_i32x4_s
            (i32x4.add
              (i32x4.dot_i16x8_s
                (i16x8.extend_low_i8x16_u
                  (i8x16.shuffle 0 4 1 5 2 6 3 7 8 8 8 8 8 8 8 8
                    (v128.load64_zero (local.get $at)) (v128.const i32x4 0 0 0 0)))
                (i32x4.splat
                  (i32.or
                    (i32.sub (i32.sub (i32.const 16384) (local.get $wx)) (local.get $w10))
                    (i32.shl (local.get $w01) (i32.const 16)))))
              (i32x4.dot_i16x8_s
                (i16x8.extend_low_i8x16_u
                  (i8x16.shuffle 0 4 1 5 2 6 3 7 8 8 8 8 8 8 8 8
                    (v128.load64_zero (i32.add (local.get $at) (local.get $stride))) (v128.const i32x4 0 0 0 0)))
                (i32x4.splat
                  (i32.or (local.get $w10) (i32.shl (local.get $w11) (i32.const 16))))))))
        (if (v128.any_true (local.get $outside)) (then (local.set $sum (local.get $fill))))
        (local.set $sum
          (f32x4.add
            (f32x4.mul
              (f32x4.pmin (v128.const f32x4 255 255 255 255)
                (f32x4.pmax (v128.const f32x4 0 0 0 0)
                  (f32x4.add
                    (f32x4.add
                      (f32x4.add (local.get $offset)
                        (f32x4.mul (local.get $fromRed)
                          (i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 (local.get $sum) (local.get $sum))))
                      (f32x4.mul (local.get $fromGreen)
                        (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7 (local.get $sum) (local.get $sum))))
                    (f32x4.mul (local.get $fromBlue)
                      (i8x16.shuffle 8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11 (local.get $sum) (local.get $sum))))))
              (local.get $gain))
            (local.get $bias)))
        (v128.store32_lane 0 (local.get $red) (local.get $sum))
        (v128.store32_lane 1 (local.get $green) (local.get $sum))
        (v128.store32_lane 2 (local.get $blue) (local.get $sum))
        (local.set $red (i32.add (local.get $red) (i32.const 4)))
        (local.set $green (i32.add (local.get $green) (i32.const 4)))
        (local.set $blue (i32.add (local.get $blue) (i32.const 4)))
        (br_if $pixel (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
      (br_if $row
        (i32.lt_u (local.tee $y (i32.add (local.get $y) (i32.const 1))) (local.get $height))))))
