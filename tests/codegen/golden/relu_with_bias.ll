declare <16 x float> @llvm.masked.load.v16f32.p0(ptr, <16 x i1>, <16 x float>)
declare void @llvm.masked.store.v16f32.p0(<16 x float>, ptr, <16 x i1>)
define void @kernel(ptr %b0, ptr %b1, ptr %b2, i64 %lo, i64 %hi) noinline nounwind {
entry:
  %v3 = icmp slt i64 %lo, %hi
  br i1 %v3, label %loop1, label %done2
loop1:
  %i4 = phi i64 [%lo, %entry], [%v25, %loop1]
  %v7 = mul i64 %i4, 20
  %v8 = getelementptr float, ptr %b0, i64 %v7
  %v14 = mul i64 %i4, 20
  %v15 = getelementptr float, ptr %b2, i64 %v14
  %v9 = load <16 x float>, ptr %v8, align 16
  %v10 = load <16 x float>, ptr %b1, align 64
  %v11 = fadd <16 x float> %v9, %v10
  %v12 = fcmp olt <16 x float> %v11, splat (float 0x0000000000000000)
  %v13 = select <16 x i1> %v12, <16 x float> splat (float 0x0000000000000000), <16 x float> %v11
  store <16 x float> %v13, ptr %v15, align 16
  %v17 = getelementptr float, ptr %v8, i64 16
  %v18 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 16 %v17, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %v19 = getelementptr float, ptr %b1, i64 16
  %v20 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 64 %v19, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %v21 = fadd <16 x float> %v18, %v20
  %v22 = fcmp olt <16 x float> %v21, splat (float 0x0000000000000000)
  %v23 = select <16 x i1> %v22, <16 x float> splat (float 0x0000000000000000), <16 x float> %v21
  %v24 = getelementptr float, ptr %v15, i64 16
  call void @llvm.masked.store.v16f32.p0(<16 x float> %v23, ptr align 16 %v24, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  %v25 = add nsw i64 %i4, 1
  %v26 = icmp slt i64 %v25, %hi
  br i1 %v26, label %loop1, label %done2
done2:
  ret void
}
